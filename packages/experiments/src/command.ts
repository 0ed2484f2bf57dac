import type { ExperimentSource } from './workbench.ts';

/** The command line that does the same. */
export const commandOf = (verb: string, { recipe, registries = [], overrides = {}, out }: ExperimentSource & { readonly out?: string }): string => [
  `npx tweedie ${verb}`, typeof recipe === 'string' ? recipe : '<recipe>',
  ...Object.entries(overrides).map(([name, value]) => `--${name} ${value}`),
  ...registries.map((file) => `--registry ${file}`),
  ...(out === undefined ? [] : [`--out ${out}`]),
].join(' ');

import type { ExperimentSource } from './workbench.ts';

/** An argument as a shell wants it. */
export const quote = (argument: string): string =>
  /^[\w./:=,@+-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;

/** The command line that does what a program asked for by these options. */
export const commandOf = (
  verb: string,
  { recipe, registries = [], localRegistries, overrides = {}, out }: ExperimentSource & { readonly out?: string },
): string =>
  [
    `npx tweedie ${verb}`,
    typeof recipe === 'string' ? quote(recipe) : '<recipe>',
    ...Object.entries(overrides).map(([name, value]) => `--${name} ${quote(String(value))}`),
    ...registries.map((file) => `--registry ${quote(file)}`),
    ...(localRegistries === false ? ['--no-local-registry'] : []),
    ...(out === undefined ? [] : [`--out ${quote(out)}`]),
  ].join(' ');

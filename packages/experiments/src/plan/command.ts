import type { ReferenceInput } from '../recipe/recipe.ts';
import type { ExperimentSource } from './workbench.ts';

/** An argument as a shell wants it. */
export const quote = (argument: string): string =>
  /^[\w./:=,@+-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;

/** A number, or a plugin as the command line names it. */
export const textOf = (value: number | ReferenceInput): string => {
  if (typeof value !== 'object') return String(value);
  const { id, options = {} } = value;
  return Object.keys(options).length === 0 ? id : `${id}:${JSON.stringify(options)}`;
};

/** The command line that does what a program asked for by these options. */
export const commandOf = (
  verb: string,
  { recipe, registries = [], localRegistries, overrides = {}, out }: ExperimentSource & { readonly out?: string },
): string =>
  [
    `npx tweedie ${verb}`,
    typeof recipe === 'string' ? quote(recipe) : '<recipe>',
    ...Object.entries(overrides).map(([name, value]) => `--${name} ${quote(textOf(value))}`),
    ...registries.map((file) => `--registry ${quote(file)}`),
    ...(localRegistries === false ? ['--no-local-registry'] : []),
    ...(out === undefined ? [] : [`--out ${quote(out)}`]),
  ].join(' ');

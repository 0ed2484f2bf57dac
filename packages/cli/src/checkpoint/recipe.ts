/** The lines of a recipe that name a model. */

/** A value as YAML: texts in quotes, so that a list of numbers stays a text. */
const quoted = (value: unknown): string =>
  typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value);

type Model = { readonly id: string; readonly options?: Readonly<Record<string, unknown>> };

/** `model:` of a recipe, an option a line. */
export const modelLines = ({ id, options = {} }: Model): string => {
  const lines = Object.entries(options).map(([name, value]) => `    ${name}: ${quoted(value)}`);
  return `model:\n  id: ${id}${lines.length === 0 ? '' : `\n  options:\n${lines.join('\n')}`}`;
};

/** The same on one line. */
export const modelLine = ({ id, options = {} }: Model): string => {
  const inner = Object.entries(options).map(([name, value]) => `${name}: ${quoted(value)}`);
  return `model: { id: ${id}${inner.length === 0 ? '' : `, options: { ${inner.join(', ')} }`} }`;
};

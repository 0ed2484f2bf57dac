import type { JsonSchema, Manifest } from '@tweedie/core/registry';

/** Lays out rows of cells as aligned columns, indented by two spaces. */
export const columns = (rows: readonly (readonly string[])[]): string => {
  const widths = rows.reduce<number[]>((all, row) => row.map((cell, i) => Math.max(all[i] ?? 0, cell.length)), []);
  return rows.map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('   ')}`.trimEnd()).join('\n');
};

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

/** The cost of one step of a method, `1 forward, 1 vjp a step`; empty where the manifest has none. */
export const cost = ({ costPerStep, work }: Manifest): string =>
  costPerStep === undefined
    ? ''
    : work !== undefined && costPerStep.forwards + costPerStep.vjps === 0
      ? work
      : `${count(costPerStep.forwards, 'forward')}, ${count(costPerStep.vjps, 'vjp')} a step`;

/** Writes a value as it stands in a recipe. */
const literal = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** Says in a few words which values a JSON Schema allows: `number, at least 0`, `plain | squared`. */
export const allowedValues = (schema: JsonSchema): string => {
  if (Array.isArray(schema['enum'])) return schema['enum'].map(literal).join(' | ');
  if ('const' in schema) return literal(schema['const']);
  const choices = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(choices)) return choices.map((choice) => allowedValues(choice as JsonSchema)).join(' or ');
  const type = [schema['type'] ?? 'any value'].flat().join(' or ');
  const bounds: readonly (readonly [keyword: string, words: string])[] = [
    ['minimum', 'at least'],
    ['exclusiveMinimum', 'above'],
    ['maximum', 'at most'],
    ['exclusiveMaximum', 'below'],
  ];
  const range = bounds
    .filter(([keyword]) => keyword in schema)
    .map(([keyword, words]) => `, ${words} ${literal(schema[keyword])}`);
  const items = schema['items'];
  const of =
    type === 'array' && typeof items === 'object' && items !== null ? ` of ${allowedValues(items as JsonSchema)}` : '';
  return type.replace('array', 'list') + of + range.join('');
};

/**
 * Describes every option of a schema in two lines: name, values and default; then what it means. Members of an option
 * that is an object follow as `option.member`.
 */
export const describeOptions = (schema: JsonSchema, prefix = ''): readonly string[] => {
  const required = (schema['required'] ?? []) as readonly string[];
  return Object.entries((schema['properties'] ?? {}) as Record<string, JsonSchema>).flatMap(([name, option]) => {
    const fallback =
      'default' in option ? ` (default ${literal(option['default'])})` : required.includes(name) ? ' (required)' : '';
    const lines = [`  ${prefix}${name}: ${allowedValues(option)}${fallback}`];
    if (typeof option['description'] === 'string') lines.push(`      ${option['description']}`);
    return [...lines, ...describeOptions(option, `${prefix}${name}.`)];
  });
};

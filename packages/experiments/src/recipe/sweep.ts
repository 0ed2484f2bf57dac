import type { JsonSchema } from '@tweedie/core';

type Options = Readonly<Record<string, unknown>>;

/** Whether a list may be a value of this option, so that it is not a sweep. */
const takesList = (schema: JsonSchema | undefined): boolean => {
  if (schema === undefined) return false;
  const forms = [schema['oneOf'], schema['anyOf']].flat() as (JsonSchema | undefined)[];
  return [schema['type']].flat().includes('array') || forms.some((form) => form !== undefined && takesList(form));
};

const show = (value: unknown): string => (typeof value === 'object' ? JSON.stringify(value) : String(value));

/** The options that are swept. */
const sweptOptions = (
  options: Options,
  schema: JsonSchema,
): readonly (readonly [name: string, values: readonly unknown[]])[] => {
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, JsonSchema>>;
  return Object.entries(options).filter(
    (entry): entry is [string, unknown[]] => Array.isArray(entry[1]) && !takesList(properties[entry[0]]),
  );
};

/** Name of an option that is swept over no value. */
export const emptySweep = (options: Options, schema: JsonSchema): string | undefined =>
  sweptOptions(options, schema).find(([, values]) => values.length === 0)?.[0];

type SweepRow = { readonly options: Options; readonly swept: Options; readonly suffix: string };

/**
 * One set of options per combination of the values of lists; `swept` holds the combination and `suffix` names it, as
 * in ` scale=0.3`. A list is a value like any other where the option's own schema takes one.
 */
export const expandSweep = (options: Options, schema: JsonSchema): readonly SweepRow[] =>
  sweptOptions(options, schema).reduce<readonly SweepRow[]>(
    (rows, [name, values]) =>
      rows.flatMap((row) =>
        values.map((value) => ({
          options: { ...row.options, [name]: value },
          swept: { ...row.swept, [name]: value },
          suffix: `${row.suffix} ${name}=${show(value)}`,
        })),
      ),
    [{ options, swept: {}, suffix: '' }],
  );

/** JSON Schema (draft 7) validation with messages that say where, what and what to do. The only file that knows ajv. */
import { Ajv, type ErrorObject } from 'ajv';
import { ConfigError, messageOf } from './errors.ts';
import { nearest, suggest } from './nearest.ts';

export type JsonSchema = { readonly [keyword: string]: unknown };

const ajv = new Ajv({
  allErrors: true,
  useDefaults: true,
  verbose: true,
  strict: true,
  strictTypes: false,
  strictRequired: false,
  allowUnionTypes: true,
});

type Complaint = { readonly at: string; readonly what: string };

/** A value as messages show it: JSON, cut where it is long. */
const show = (value: unknown): string => {
  // JSON would say null for what YAML writes as .nan and .inf.
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
};

const segment = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');

const complaint = ({ keyword, instancePath: at, params, data, message, parentSchema }: ErrorObject): Complaint => {
  switch (keyword) {
    case 'additionalProperties': {
      const key = String(params['additionalProperty']);
      const known = Object.keys((parentSchema?.['properties'] ?? {}) as object);
      return { at: `${at}/${segment(key)}`, what: `${JSON.stringify(key)} is not a known key. ${suggest(key, known)}` };
    }
    case 'required': {
      const key = String(params['missingProperty']);
      const properties = (parentSchema?.['properties'] ?? {}) as Readonly<Record<string, JsonSchema>>;
      const [meaning = ''] = String(properties[key]?.['description'] ?? '').split(/(?<=\.) /);
      return { at, what: `${JSON.stringify(key)} is missing. ${meaning === '' ? 'Add it.' : `Add it: ${meaning}`}` };
    }
    case 'enum': {
      const allowed = params['allowedValues'] as readonly unknown[];
      const meant = nearest(String(data), allowed.map(String))[0];
      const hint = meant === undefined ? '' : ` Did you mean ${JSON.stringify(meant)}?`;
      return { at, what: `must be one of ${allowed.map(show).join(', ')}, got ${show(data)}.${hint}` };
    }
    case 'const':
      return { at, what: `must be ${show(params['allowedValue'])}, got ${show(data)}.` };
    case 'type':
      return { at, what: `must be ${[params['type']].flat().join(' or ')}, got ${show(data)}.` };
    default:
      return { at, what: `${message ?? 'is not valid'}, got ${show(data)}.` };
  }
};

/**
 * Errors worth showing. Where a value may take several forms (`anyOf`, `oneOf`), ajv reports the failures of every
 * form; a form whose type alone does not fit was not meant, so only the others are told. If no form has the right type,
 * one message lists the types.
 */
const relevant = (errors: readonly ErrorObject[]): readonly ErrorObject[] => {
  const choices = errors.filter(({ keyword }) => keyword === 'anyOf' || keyword === 'oneOf');
  let kept = errors.filter(
    (error) => !choices.includes(error) && error.keyword !== 'if' && error.keyword !== 'propertyNames',
  );
  for (const choice of choices) {
    const at = choice.instancePath;
    const within = kept.filter(({ instancePath }) => instancePath === at || instancePath.startsWith(`${at}/`));
    const misfits = within.filter(({ keyword, instancePath }) => keyword === 'type' && instancePath === at);
    kept = kept.filter((error) => !misfits.includes(error));
    const types = new Set(misfits.flatMap(({ params }) => [params['type']].flat()));
    if (within.length === misfits.length)
      kept.push(misfits[0] ? { ...misfits[0], params: { type: [...types] } } : choice);
  }
  return kept;
};

/**
 * A deep copy of `value` with the schema's defaults filled in. Throws a ConfigError with file, JSON pointer and value,
 * as in `[recipes/x.yaml /methods/1/options/scale] must be >= 0, got -1.` `where` is the file (or kind/id), `at` the
 * JSON pointer of `value` in it, `schemaAt` the place of the schema, which errors about the schema itself name.
 */
export const validate = <T>(
  schema: JsonSchema,
  value: unknown,
  where: string,
  at = '',
  schemaAt = `the schema of ${where}`,
): T => {
  const check = compile(schema, schemaAt);
  const copy: unknown = structuredClone(value);
  if (check(copy)) return copy as T;
  const place = (pointer: string): string => [where, at + pointer].filter((part) => part !== '').join(' ');
  // A misspelt key comes first: it is often the cause of the rest.
  const errors = relevant(check.errors ?? []).toSorted(
    (a, b) => Number(b.keyword === 'additionalProperties') - Number(a.keyword === 'additionalProperties'),
  );
  const complaints = errors.map(complaint);
  const [first, ...others] = new Map(complaints.map((each) => [`${each.at} ${each.what}`, each])).values();
  if (!first) throw new ConfigError(place(''), `is not valid, got ${show(value)}.`, '');
  throw new ConfigError(
    place(first.at),
    [first.what, ...others.map((each) => `[${place(each.at)}] ${each.what}`)].join('\n'),
    '',
  );
};

const compile = (schema: JsonSchema, where: string) => {
  try {
    return ajv.compile(schema);
  } catch (error) {
    throw new ConfigError(where, `is not a valid JSON Schema: ${messageOf(error)}.`, 'Correct the schema.', {
      cause: error,
    });
  }
};

import { join } from 'node:path';
import { type JsonSchema, type Kind, kinds, type Manifest, readJson, type Registry } from '@tweedie/core';

type Node = { readonly [keyword: string]: unknown };

/** Where a recipe names plugins of a kind, by the path of the schema's node; `items` are those of a list. */
const places: readonly (readonly [Kind, string])[] = [
  ['model', 'properties/model'],
  ['engine', 'properties/engine'],
  ['scheduler', 'properties/scheduler'],
  ['scheduler', 'definitions/method/oneOf/1/properties/scheduler'],
  ['operator', 'properties/operators/items'],
  ['guidance', 'properties/methods/items'],
  ['metric', 'properties/metrics/items'],
  ['dataset', 'properties/images/properties/dataset'],
  ['dataset', 'properties/tune/properties/images/properties/dataset'],
];
/** Kinds whose options may be lists, a row for each value. */
const swept: readonly Kind[] = ['operator', 'guidance'];

/**
 * The schema of recipes for editors: that which recipes are checked by, with the ids of all plugins of a registry, and
 * for each id its options with what they mean. A plugin may be a file too (`./my-method.ts`), whose options are not
 * known here.
 */
export const schemaForEditors = (registry: Registry): JsonSchema => {
  const schema = structuredClone(readJson(join(import.meta.dirname, '../../schemas/experiment.schema.json'))) as Node;
  const definitions = schema['definitions'] as Record<string, Node>;
  for (const kind of kinds) definitions[`${kind}s`] = pluginsOf(registry, kind);
  for (const [kind, path] of places) {
    const names = path.split('/');
    const last = names.pop() ?? '';
    const parent = names.reduce<Record<string, unknown>>((node, name) => node[name] as Record<string, unknown>, schema);
    const { $ref, ...rest } = parent[last] as Node;
    parent[last] = { ...rest, allOf: [{ $ref }, { $ref: `#/definitions/${kind}s` }] };
  }
  return schema;
};

const pluginsOf = ({ manifests, cards }: Registry, kind: Kind): Node => {
  const own = [...manifests, ...cards].filter((manifest) => manifest.kind === kind);
  const id = {
    anyOf: [
      { enum: own.map((manifest) => manifest.id), enumDescriptions: own.map(({ title }) => title) },
      { type: 'string', pattern: '/', description: 'The path of a file that is a plugin.' },
    ],
  };
  return {
    anyOf: [id, { type: 'object', properties: { id } }],
    allOf: own.map((manifest) => ({
      if: { type: 'object', required: ['id'], properties: { id: { const: manifest.id } } },
      then: { properties: { options: optionsOf(manifest) } },
    })),
  };
};

/** The options of a plugin; what is required may come from a preset, so that nothing is. */
const optionsOf = ({ kind, options, presets = {} }: Manifest): Node => {
  const { required: _, properties = {}, ...rest } = options as Node & { properties?: Readonly<Record<string, Node>> };
  const withSweep = (schema: Node): Node =>
    swept.includes(kind)
      ? { description: schema['description'], anyOf: [schema, { type: 'array', items: schema }] }
      : schema;
  const names = Object.keys(presets);
  return {
    ...rest,
    properties: {
      ...Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, withSweep(schema)])),
      ...(names.length > 0
        ? { preset: withSweep({ enum: names, description: 'A set of options that it ships.' }) }
        : {}),
    },
  };
};

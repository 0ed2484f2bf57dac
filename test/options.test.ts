/**
 * The options of a plugin stand twice: as a schema in its manifest, which is the source, and as the TypeScript type its
 * factory takes.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Manifest, openRegistry, readManifest } from '@tweedie/core';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The part of JSON Schema that says which options there are. */
type Schema = {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
};

/**
 * An option as a line: `split: "test" | "train"`, with `?` where it may be missing, its values where they are listed.
 */
const lineOf = (name: string, optional: boolean, values: readonly unknown[]): string =>
  `${name}${optional ? '?' : ''}: ${values
    .map((value) => JSON.stringify(value))
    .sort()
    .join(' | ')}`;

/** The options in the schema. A factory is called with defaults filled in: an option that has one is never missing. */
const linesOfSchema = ({ properties = {}, required = [] }: Schema, prefix = ''): readonly string[] =>
  Object.entries(properties).flatMap(([name, option]) => [
    lineOf(`${prefix}${name}`, !required.includes(name) && option.default === undefined, option.enum ?? []),
    ...linesOfSchema(option, `${prefix}${name}.`),
  ]);

const plugins: readonly Manifest[] = [
  ...openRegistry({ folders: [] }).manifests,
  ...readdirSync(join(root, 'templates')).map((folder) => readManifest(join(root, 'templates', folder))),
];
const entryOf = ({ folder }: Manifest): string => join(folder, 'src/index.ts');

const { options: compilerOptions } = ts.parseJsonConfigFileContent(
  ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile).config,
  ts.sys,
  root,
);
const program = ts.createProgram(plugins.map(entryOf), compilerOptions);
const checker = program.getTypeChecker();

/** The values of a type that lists them; none for others, such as `boolean`. */
function valuesOf(type: ts.Type): readonly (string | number)[] {
  const parts = type.isUnion() ? type.types : [type];
  const values = parts.flatMap((part) => (part.isStringLiteral() || part.isNumberLiteral() ? [part.value] : []));
  return values.length === parts.length ? values : [];
}

/** The options in the type; into the options of an option it goes where the schema does. */
const linesOfType = (type: ts.Type, { properties = {} }: Schema, prefix = ''): readonly string[] =>
  type.getProperties().flatMap((property) => {
    const { name } = property;
    const own = checker.getNonNullableType(checker.getTypeOfSymbol(property));
    const inner = properties[name];
    return [
      lineOf(`${prefix}${name}`, (property.flags & ts.SymbolFlags.Optional) !== 0, valuesOf(own)),
      ...(inner?.properties === undefined ? [] : linesOfType(own, inner, `${prefix}${name}.`)),
    ];
  });

/** The type of the first argument of the factory; undefined where the factory takes none. */
function optionsType(manifest: Manifest): ts.Type | undefined {
  const source = program.getSourceFile(entryOf(manifest));
  const module = source && checker.getSymbolAtLocation(source);
  const factory = module && checker.getExportsOfModule(module).find(({ name }) => name === manifest.export);
  if (factory === undefined) throw new Error(`${entryOf(manifest)} does not export ${manifest.export}`);
  const [parameter] = checker.getTypeOfSymbol(factory).getCallSignatures()[0]?.getParameters() ?? [];
  return parameter && checker.getTypeOfSymbol(parameter);
}

describe('options in TypeScript are those of the manifest, for', () => {
  it.each(plugins.map((manifest) => [`${manifest.kind}/${manifest.id}`, manifest] as const))('%s', (_, manifest) => {
    const schema = manifest.options as Schema;
    const type = optionsType(manifest);
    expect(type === undefined ? [] : [...linesOfType(type, schema)].sort()).toEqual([...linesOfSchema(schema)].sort());
  });
});

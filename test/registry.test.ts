/** registry.json and the plugins' manifests, both ways. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { processSchema } from '@tweedie/core';
import { loadRegistries, resolveOptions, type JsonSchema, type Manifest } from '@tweedie/core/registry';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const file = join(root, 'registry.json');
const readJson = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T;

const { manifests } = loadRegistries([file]);
const nameOf = ({ kind, id }: Pick<Manifest, 'kind' | 'id'>): string => `${kind}/${id}`;

describe('registry.json', () => {
  it('lists every plugin folder, and only what exists', () => {
    const folders = ['packages/core', ...readdirSync(join(root, 'plugins')).map((name) => `plugins/${name}`)].filter(
      (folder) => existsSync(join(root, folder, 'plugin.json')),
    );
    const found = folders.map((folder) => [
      nameOf(readJson<Manifest>(join(root, folder, 'plugin.json'))),
      readJson<{ name: string }>(join(root, folder, 'package.json')).name,
    ]);
    expect(readJson<{ plugins: object }>(file).plugins).toEqual(Object.fromEntries(found));
  });

  it('is sorted by name', () => {
    const names = Object.keys(readJson<{ plugins: object }>(file).plugins);
    expect(names).toEqual(names.toSorted());
  });
});

describe.each(manifests.map((manifest) => ({ name: nameOf(manifest), manifest })))('$name', ({ manifest }) => {
  const { kind, id, options, presets = {}, folder } = manifest;

  it('is in a package and exports a name that follow from kind and id', () => {
    expect(manifest.export).toBe(id.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()));
    if (manifest.package !== '@tweedie/core') expect(manifest.package).toBe(`@tweedie/${kind}-${id}`);
  });

  it('has defaults and presets that its own schema accepts', () => {
    const required = Object.fromEntries(
      ((options['required'] ?? []) as string[]).map((name) => [
        name,
        exampleOf((options['properties'] as Record<string, JsonSchema>)[name] ?? {}),
      ]),
    );
    expect(() => resolveOptions(manifest, required)).not.toThrow();
    for (const preset of Object.keys(presets))
      expect(() => resolveOptions(manifest, { ...required, preset })).not.toThrow();
    const defaults = resolveOptions(manifest, required);
    expect(resolveOptions(manifest, defaults)).toEqual(defaults);
  });

  it('describes every option, members of options too', () => {
    expect(undescribed(options, '')).toEqual([]);
  });

  it('says where a method comes from and what it costs', () => {
    if (kind !== 'guidance') return;
    expect(manifest.costPerStep).toBeDefined();
  });

  it('searches tunable options within what its schema accepts', () => {
    for (const [name, { from, to, scale }] of Object.entries(manifest.tunable ?? {})) {
      const { type } = ((options['properties'] ?? {}) as Record<string, JsonSchema>)[name] ?? {};
      expect(type, name).toBe('number');
      expect(from, name).toBeLessThan(to);
      if (scale === 'log') expect(from, name).toBeGreaterThan(0);
      for (const value of [from, to]) expect(() => resolveOptions(manifest, { [name]: value })).not.toThrow();
    }
  });

  it('has a README', () => {
    expect(existsSync(join(folder, 'README.md')) || manifest.package === '@tweedie/core').toBe(true);
  });
});

describe('options that several manifests repeat', () => {
  const propertiesOf = ({ options }: Manifest) => options['properties'] as Readonly<Record<string, JsonSchema>>;
  const models = manifests.filter(({ kind }) => kind === 'model');

  it('say what core says of a noise process', () => {
    const processes = models.flatMap((model) => propertiesOf(model)['process'] ?? []);
    expect(processes.length).toBeGreaterThan(1);
    for (const process of processes) expect(process).toEqual(processSchema);
    const { schedule, trainingSteps } = processSchema.properties;
    for (const { noise_schedule: table, diffusion_steps: entries } of models.map(propertiesOf)) {
      if (table) expect(table).toMatchObject({ enum: schedule.enum, default: schedule.default });
      if (entries) expect(entries).toMatchObject({ minimum: trainingSteps.minimum, default: trainingSteps.default });
    }
  });

  it('are the same for the diffusion network, whatever process it is seen through', () => {
    const [ve, vp] = ['ddpm-ve', 'ddpm-vp'].map((id) => models.find((model) => model.id === id)?.options);
    expect(ve).toBeDefined();
    expect(ve).toEqual(vp);
  });
});

/** Paths of properties without a description. */
function undescribed(schema: JsonSchema, at: string): string[] {
  return Object.entries((schema['properties'] ?? {}) as Record<string, JsonSchema>).flatMap(([name, option]) => [
    ...(typeof option['description'] === 'string' && option['description'] !== '' ? [] : [`${at}${name}`]),
    ...undescribed(option, `${at}${name}.`),
  ]);
}

/** Some value that a schema accepts. */
function exampleOf(schema: JsonSchema): unknown {
  if (schema['default'] !== undefined) return schema['default'];
  if (Array.isArray(schema['examples'])) return schema['examples'][0];
  if (Array.isArray(schema['enum'])) return schema['enum'][0];
  const choices = (schema['anyOf'] ?? schema['oneOf']) as JsonSchema[] | undefined;
  if (choices?.[0]) return exampleOf(choices[0]);
  switch (schema['type']) {
    case 'string':
      return 'text';
    case 'boolean':
      return false;
    case 'array':
      return Array.from({ length: Number(schema['minItems'] ?? 0) }, () =>
        exampleOf((schema['items'] ?? {}) as JsonSchema),
      );
    case 'object': {
      const properties = (schema['properties'] ?? {}) as Record<string, JsonSchema>;
      return Object.fromEntries(
        ((schema['required'] ?? []) as string[]).map((name) => [name, exampleOf(properties[name] ?? {})]),
      );
    }
    default:
      return schema['minimum'] ?? 1;
  }
}

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import {
  loadRegistries,
  nearest,
  openRegistry,
  readJson,
  resolveOptions,
  suggest,
  validate,
} from '../src/registry-entry.ts';

const root = mkdtempSync(join(tmpdir(), 'tweedie-registry-'));
afterAll(() => rmSync(root, { recursive: true }));

const write = (path: string, value: unknown): string => {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value));
  return file;
};

const manifest = {
  kind: 'guidance',
  id: 'mine',
  export: 'mine',
  title: 'Mine',
  options: {
    type: 'object',
    additionalProperties: false,
    properties: {
      scale: { type: 'number', minimum: 0, default: 1, description: 'strength' },
      norm: { enum: ['plain', 'squared'], default: 'plain', description: 'which norm' },
    },
  },
  presets: { strong: { title: 'Strong', options: { scale: 10, norm: 'squared' } } },
};
const plugin = (folder: string, changes: object = {}): void =>
  void write(`${folder}/plugin.json`, { ...manifest, ...changes });
const messageOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    expect(error).toHaveProperty('name', 'ConfigError');
    return (error as Error).message.replaceAll(root, '');
  }
  throw new Error('nothing was thrown');
};

describe('loadRegistries', () => {
  it('reads manifests from folders and from packages installed where the registry is', () => {
    plugin('a/mine');
    write('a/node_modules/theirs/package.json', {
      name: 'theirs',
      version: '2.3.4',
      exports: { '.': './index.js', './plugin.json': './plugin.json' },
    });
    plugin('a/node_modules/theirs', { id: 'theirs' });
    const registry = loadRegistries([
      write('a/registry.json', { plugins: { 'guidance/theirs': 'theirs', 'guidance/mine': './mine' } }),
    ]);
    expect(registry.manifests.map(({ id }) => id)).toEqual(['mine', 'theirs']);
    expect(registry.find('guidance', 'theirs')).toMatchObject({
      package: 'theirs',
      version: '2.3.4',
      needs: [],
      provides: [],
      folder: join(root, 'a/node_modules/theirs'),
    });
  });

  it('finds the registry of a folder, after its own', () => {
    plugin('b/mine');
    write('b/registry.json', { plugins: { 'guidance/mine': './mine' } });
    const registry = openRegistry({ folders: [join(root, 'b'), root] });
    expect(registry.find('guidance', 'mine').title).toBe('Mine');
    expect(registry.find('engine', 'eager').package).toBe('@tweedie/core');
    expect(registry.files).toHaveLength(2);
  });

  it('does not even read a refused local registry, unless it is named, and says what may be in it', () => {
    plugin('l/mine');
    const file = write('l/registry.json', 'no JSON');
    const open = (registries: readonly string[], id: string) => {
      const registry = openRegistry({ folders: [join(root, 'l'), root], registries, localRegistries: false });
      return { ...registry, found: registry.find('guidance', id).title };
    };
    expect(openRegistry({ folders: [join(root, 'l')], localRegistries: false })).toMatchObject({ refused: [file] });
    expect(messageOf(() => open([], 'mine'))).toMatch(
      /^\[guidance\] there is no guidance "mine"\. .* It may be in \/l\/registry\.json, refused as a local registry; --registry reads it all the same\.$/,
    );
    expect(messageOf(() => openRegistry({ folders: [join(root, 'l')] }))).toContain(
      '[/l/registry.json] cannot be read',
    );
    write('l/registry.json', { plugins: { 'guidance/mine': './mine' } });
    expect(open([file], 'mine')).toMatchObject({ found: 'Mine', refused: [] });
  });

  it('tells once which registries beside its own are read, and which of them unasked', () => {
    const [mine, yours, named] = ['m/registry.json', 'n/registry.json', 'm/named.json'].map((path) =>
      write(path, { plugins: {} }),
    );
    const spy = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    try {
      openRegistry({ folders: [import.meta.dirname] });
      openRegistry({ folders: [join(root, 'm')], localRegistries: false });
      openRegistry({ folders: [join(root, 'm')], quiet: true });
      expect(spy).not.toHaveBeenCalled();
      for (let repeat = 0; repeat < 2; repeat++)
        openRegistry({ folders: [join(root, 'm'), join(root, 'n')], registries: [named!, mine!] });
      expect(spy.mock.calls.map(([text]) => text)).toEqual([
        `Note: plugins may come from ${named}, as asked.\n`,
        `Note: plugins may come from ${mine}, as asked.\n`,
        `Note: plugins may come from ${yours}, read unasked: --no-local-registry refuses it.\n`,
      ]);
    } finally {
      spy.mockRestore();
    }
  });

  it('refuses two plugins of one name, but not one plugin named twice', () => {
    plugin('c/mine');
    plugin('c/other');
    const first = write('c/first.json', { plugins: { 'guidance/mine': './mine' } });
    const second = write('c/second.json', { plugins: { 'guidance/mine': './other' } });
    expect(
      loadRegistries([first, write('c/same.json', { plugins: { 'guidance/mine': './mine' } })]).manifests,
    ).toHaveLength(1);
    const registry = loadRegistries([first, second]);
    expect(registry.manifests).toEqual([]);
    expect(messageOf(() => registry.find('guidance', 'mine'))).toMatchInlineSnapshot(
      `"[/c/second.json] guidance/mine is ./other here and ./mine in /c/first.json. Remove one of the two entries, or give your plugin another id."`,
    );
  });

  it('refuses a plugin for another version of core, and no other one', () => {
    const { version } = readJson(join(import.meta.dirname, '../package.json')) as { version: string };
    plugin('v/mine');
    plugin('v/other', { id: 'other' });
    write('v/mine/package.json', { name: 'mine', peerDependencies: { '@tweedie/core': '^99.1.0' } });
    write('v/other/package.json', { name: 'other', peerDependencies: { '@tweedie/core': `^${version}` } });
    const file = write('v/registry.json', { plugins: { 'guidance/mine': './mine', 'guidance/other': './other' } });
    const registry = loadRegistries([file]);
    expect(registry.manifests.map(({ id }) => id)).toEqual(['other']);
    expect(messageOf(() => registry.find('guidance', 'mine'))).toBe(
      `[/v/mine/package.json] needs @tweedie/core ^99.1.0, and this is ${version}. Install a version of the plugin for it, or another version of Tweedie.`,
    );
  });

  it('says what is wrong with an entry', () => {
    plugin('d/mine', { kind: 'metric' });
    const load = (plugins: object) =>
      messageOf(() => {
        const registry = loadRegistries([write('d/registry.json', { plugins })]);
        for (const error of registry.broken.values()) throw error;
      });
    expect(load({ 'guidance/mine': './mine' })).toMatchInlineSnapshot(
      `"[/d/registry.json /plugins/guidance~1mine] names guidance/mine, but /d/mine/plugin.json is the manifest of metric/mine. Make the two agree."`,
    );
    expect(load({ 'guidance/mine': './nothing' })).toMatchInlineSnapshot(
      `"[/d/registry.json /plugins/guidance~1mine] the folder /d/nothing has no plugin.json. Correct the path (it is relative to the registry file)."`,
    );
    expect(load({ 'guidance/mine': 'not-installed' })).toMatchInlineSnapshot(
      `"[/d/registry.json /plugins/guidance~1mine] the package not-installed is not installed. Run npm install not-installed, or remove the entry."`,
    );
    mkdirSync(join(root, 'd/node_modules'));
    symlinkSync(join('..', 'deleted'), join(root, 'd/node_modules/linked'), 'junction');
    expect(load({ 'guidance/linked': 'linked' })).toMatchInlineSnapshot(
      `"[/d/registry.json /plugins/guidance~1linked] the folder of the package linked, /d/deleted, is gone. Remove the entry and run npm install, or bring the folder back."`,
    );
    expect(load({ 'guide/mine': './mine' })).toMatchInlineSnapshot(
      `"[/d/registry.json /plugins] must match pattern "^(engine|model|operator|guidance|scheduler|metric|dataset)/[a-z0-9]+(-[a-z0-9]+)*$", got "guide/mine"."`,
    );
    expect(load({ 'guidance/mine': 3 })).toMatchInlineSnapshot(
      `"[/d/registry.json /plugins/guidance~1mine] must be string, got 3."`,
    );
    write('d/node_modules/closed/package.json', { name: 'closed', exports: './index.js' });
    expect(load({ 'guidance/closed': 'closed' })).toMatchInlineSnapshot(
      `"[/d/registry.json /plugins/guidance~1closed] the package closed does not export "./plugin.json". Add it to "exports" in its package.json."`,
    );
    plugin('d/typo', { titel: 'x' });
    expect(load({ 'guidance/mine': './typo' })).toMatchInlineSnapshot(
      `"[/d/typo/plugin.json /titel] "titel" is not a known key. Did you mean "title"?"`,
    );
    plugin('d/undescribed', { options: { ...manifest.options, properties: { scale: { type: 'number' } } } });
    expect(load({ 'guidance/mine': './undescribed' })).toMatchInlineSnapshot(
      `"[/d/undescribed/plugin.json /options/properties/scale] "description" is missing. Add it."`,
    );
  });

  it('reads a manifest whatever an editor put before its text, but not UTF-16', () => {
    plugin('k/mine');
    const text = JSON.stringify(manifest);
    const load = (bytes: string | Buffer): string => {
      writeFileSync(join(root, 'k/mine/plugin.json'), bytes);
      const registry = loadRegistries([write('k/registry.json', { plugins: { 'guidance/mine': './mine' } })]);
      return registry.find('guidance', 'mine').title;
    };
    expect(load(`\uFEFF${text}`)).toBe('Mine');
    expect(messageOf(() => load(Buffer.from(`\uFEFF${text}`, 'utf16le')))).toBe(
      '[/k/mine/plugin.json] cannot be read: it is UTF-16 text, save it as UTF-8.',
    );
  });

  it('goes on without a broken entry until it is asked for', () => {
    plugin('h/mine');
    const registry = loadRegistries([
      write('h/registry.json', { plugins: { 'guidance/mine': './mine', 'metric/gone': './gone' } }),
    ]);
    expect(registry.manifests.map(({ id }) => id)).toEqual(['mine']);
    expect([...registry.broken.keys()]).toEqual(['metric/gone']);
    expect(messageOf(() => registry.find('metric', 'gone'))).toMatchInlineSnapshot(
      `"[/h/registry.json /plugins/metric~1gone] the folder /h/gone has no plugin.json. Correct the path (it is relative to the registry file)."`,
    );
  });

  it('says what is wrong with a registry file', () => {
    expect(messageOf(() => loadRegistries([join(root, 'missing.json')]))).toMatchInlineSnapshot(
      `"[/missing.json] this registry file does not exist. Correct the path given with --registry."`,
    );
    expect(messageOf(() => loadRegistries([write('e/registry.json', '{ "plugins": ')]))).toMatchInlineSnapshot(
      `"[/e/registry.json] cannot be read: Unexpected end of JSON input."`,
    );
    expect(messageOf(() => loadRegistries([write('e/registry.json', { plugin: {} })]))).toMatchInlineSnapshot(`
      "[/e/registry.json /plugin] "plugin" is not a known key. Did you mean "plugins"?
      [/e/registry.json] "plugins" is missing. Add it: From kind/id to the name of an installed package, or to a folder that starts with ./ or ../ (relative to this file)."
    `);
  });

  it('names the nearest ids', () => {
    plugin('f/mine');
    const registry = loadRegistries([write('f/registry.json', { plugins: { 'guidance/mine': './mine' } })]);
    expect(messageOf(() => registry.find('guidance', 'mien'))).toMatchInlineSnapshot(
      `"[guidance] there is no guidance "mien". Did you mean "mine"?"`,
    );
    expect(
      messageOf(() => registry.find('guidance', 'something-else', 'recipe.yaml /methods/0/id')),
    ).toMatchInlineSnapshot(`"[recipe.yaml /methods/0/id] there is no guidance "something-else". Valid: mine."`);
    expect(messageOf(() => registry.find('metric', 'psnr'))).toMatchInlineSnapshot(
      `"[metric] there is no metric "psnr". There are none."`,
    );
  });
});

it.each([
  ['cuda', '--engine onnxruntime:device=cuda; in a recipe engine: { id: onnxruntime, options: { device: cuda } }'],
  [
    'WebGPU',
    '--engine onnxruntime:device=webgpu; in a recipe engine: { id: onnxruntime, options: { device: webgpu } }',
  ],
  ...['gpu', 'dml', 'coreml'].map((id) => [
    id,
    '--engine onnxruntime:device=cuda or --engine onnxruntime:device=webgpu; in a recipe engine: { id: onnxruntime, options: { device: cuda } }',
  ]),
])('says how to ask for the device %s where it was taken for an engine', (id, how) => {
  const registry = openRegistry({ folders: [] });
  expect(messageOf(() => registry.find('engine', id!))).toBe(
    `[engine] there is no engine "${id}". Where an engine computes is its option device: ${how}.`,
  );
  expect(messageOf(() => registry.find('metric', id!))).not.toContain('device');
});

describe('resolveOptions', () => {
  plugin('g/mine');
  const mine = loadRegistries([write('g/registry.json', { plugins: { 'guidance/mine': './mine' } })]).find(
    'guidance',
    'mine',
  );

  it('fills in defaults, and presets beneath what is given', () => {
    const given = { scale: 2 };
    expect(resolveOptions(mine, given)).toEqual({ scale: 2, norm: 'plain' });
    expect(given).toEqual({ scale: 2 });
    expect(resolveOptions(mine)).toEqual({ scale: 1, norm: 'plain' });
    expect(resolveOptions(mine, { preset: 'strong', scale: 3 })).toEqual({ scale: 3, norm: 'squared' });
  });

  it('says where and what is wrong', () => {
    const check = (options: Record<string, unknown>) =>
      messageOf(() => resolveOptions(mine, options, 'recipes/x.yaml', '/methods/1/options'));
    expect(check({ scale: -1 })).toMatchInlineSnapshot(
      `"[recipes/x.yaml /methods/1/options/scale] must be >= 0, got -1."`,
    );
    expect(check({ scale: 'big' })).toMatchInlineSnapshot(
      `"[recipes/x.yaml /methods/1/options/scale] must be number, got "big"."`,
    );
    expect(check({ sacle: 1 })).toMatchInlineSnapshot(
      `"[recipes/x.yaml /methods/1/options/sacle] "sacle" is not a known key. Did you mean "scale"?"`,
    );
    expect(check({ norm: 'l2', scale: -1 })).toMatchInlineSnapshot(`
      "[recipes/x.yaml /methods/1/options/scale] must be >= 0, got -1.
      [recipes/x.yaml /methods/1/options/norm] must be one of "plain", "squared", got "l2"."
    `);
    expect(check({ preset: 'stronk' })).toMatchInlineSnapshot(
      `"[recipes/x.yaml /methods/1/options/preset] must be one of "strong", got "stronk". Did you mean "strong"?"`,
    );
    expect(messageOf(() => resolveOptions({ ...mine, presets: {} }, { preset: 'x' }))).toMatchInlineSnapshot(
      `"[guidance/mine /preset] guidance/mine has no presets. Remove the key."`,
    );
    expect(messageOf(() => resolveOptions(mine, { zzz: 1 }))).toMatchInlineSnapshot(
      `"[guidance/mine /zzz] "zzz" is not a known key. Valid: scale, norm."`,
    );
  });
});

describe('validate', () => {
  it('tells of a value with several forms only the form that was meant', () => {
    const reference = {
      type: 'object',
      additionalProperties: false,
      required: ['id'],
      properties: { id: { type: 'string' } },
    };
    const schema = { type: 'object', properties: { method: { oneOf: [{ type: 'string' }, reference] } } };
    expect(messageOf(() => validate(schema, { method: { ID: 'x' } }, 'file'))).toMatchInlineSnapshot(`
      "[file /method/ID] "ID" is not a known key. Did you mean "id"?
      [file /method] "id" is missing. Add it."
    `);
    expect(messageOf(() => validate(schema, { method: 3 }, 'file'))).toMatchInlineSnapshot(
      `"[file /method] must be string or object, got 3."`,
    );
    expect(messageOf(() => validate({ oneOf: [{ minimum: 1 }, { maximum: 5 }] }, 3, 'file'))).toMatchInlineSnapshot(
      `"[file] must match exactly one schema in oneOf, got 3."`,
    );
  });

  it('refuses a schema that is not one', () => {
    expect(messageOf(() => validate({ type: 'nonsense' }, 3, 'file'))).toMatchInlineSnapshot(
      `"[the schema of file] is not a valid JSON Schema: schema is invalid: data/type must be equal to one of the allowed values, data/type must be array, data/type must match a schema in anyOf. Correct the schema."`,
    );
  });
});

describe('nearest', () => {
  const ids = ['dps', 'dps-w', 'ddpm', 'none', 'exact', 'inpaint'];
  it('orders by edit distance and leaves out what is far', () => {
    expect(nearest('dsp', ids)).toEqual(['dps']);
    expect(nearest('DPS', ids)[0]).toBe('dps');
    expect(nearest('inpainting', ids)).toEqual(['inpaint']);
    expect(nearest('zzzzzz', ids)).toEqual([]);
  });
  it('names all where none is near', () => {
    expect(suggest('zzzzzz', ids)).toBe('Valid: dps, dps-w, ddpm, none, exact, inpaint.');
    expect(suggest('x', [])).toBe('There are none.');
  });
});

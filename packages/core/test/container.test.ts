import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { createContainer, type Container } from '../src/container.ts';
import type { Files } from '../src/files.ts';
import { loadRegistries } from '../src/registry.ts';

const root = mkdtempSync(join(tmpdir(), 'tweedie-container-'));
afterAll(() => rmSync(root, { recursive: true }));

const write = (path: string, text: string): string => {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
};
const options = {
  type: 'object',
  additionalProperties: false,
  properties: { size: { type: 'integer', default: 4, description: 'a size' } },
};
const plugin = (kind: string, id: string, code: string): void => {
  const folder = `${kind}-${id}`;
  write(`${folder}/plugin.json`, JSON.stringify({ kind, id, export: id, title: id, options }));
  write(
    `${folder}/package.json`,
    JSON.stringify({
      name: `trial-${folder}`,
      version: '1.0.0',
      type: 'module',
      exports: { '.': { '@tweedie/source': './src/index.ts', default: './no.js' } },
    }),
  );
  write(`${folder}/src/index.ts`, code);
};
plugin(
  'dataset',
  'numbers',
  'export const numbers = ({ size }) => ({ size, imageShape: [1, 1, 1], item() {}, dispose() { globalThis.disposed.push("numbers") } });',
);
plugin(
  'model',
  'nested',
  'export const nested = async ({ size }, context) => ({ size, files: context.files, data: await context.plugin("dataset", { id: "numbers", options: { size } }), predict() {}, weightsHash() {}, dispose() { globalThis.disposed.push("nested") } });',
);
plugin(
  'operator',
  'shaped',
  'export const shaped = (options, { imageShape }) => ({ measurementShape: imageShape, draw() {}, forward() {} });',
);
plugin(
  'model',
  'asking',
  'export const asking = async (options, context) => context.plugin("dataset", { id: "numbrs" });',
);
plugin('metric', 'broken', 'export const broken = (; ');
plugin('metric', 'nameless', 'export const other = 3;');
plugin('metric', 'refusing', 'export const refusing = () => { throw new TypeError("cannot be made") };');
const names = [
  'dataset/numbers',
  'model/nested',
  'model/asking',
  'operator/shaped',
  'metric/broken',
  'metric/nameless',
  'metric/refusing',
];
const registry = loadRegistries([
  write(
    'registry.json',
    JSON.stringify({ plugins: Object.fromEntries(names.map((name) => [name, `./${name.replace('/', '-')}`])) }),
  ),
]);

const files = {} as Files;
const state = globalThis as { disposed?: string[] };
let container: Container;
beforeEach(() => {
  state.disposed = [];
  container = createContainer({ registry, files });
});
const failure = async (promise: Promise<unknown>): Promise<string> => {
  const error = await promise.then(
    () => expect.unreachable(),
    (error: Error) => error,
  );
  expect(error.name).toBe('ConfigError');
  return error.message.replaceAll(root, '');
};

it('makes a plugin with checked options and its context', async () => {
  const model = await container.plugin('model', { id: 'nested', options: { size: 7 } });
  expect(model).toMatchObject({ size: 7, data: { size: 7 } });
  expect((model as unknown as { files: Files }).files).toBe(files);
  const operator = await container.plugin('operator', { id: 'shaped' }, { imageShape: [2, 3, 1] });
  expect(operator.measurementShape).toEqual([2, 3, 1]);
});

it('shares data sets of equal options, also between plugins, and nothing else', async () => {
  const numbers = await container.plugin('dataset', { id: 'numbers' });
  expect(await container.plugin('dataset', { id: 'numbers', options: { size: 4 } })).toBe(numbers);
  expect(await container.plugin('dataset', { id: 'numbers', options: { size: 5 } })).not.toBe(numbers);
  const model = await container.plugin('model', { id: 'nested' });
  expect(model).toHaveProperty('data', numbers);
  expect(await container.plugin('model', { id: 'nested' })).not.toBe(model);
});

it('disposes what it made, the last one first', async () => {
  await container.plugin('model', { id: 'nested' });
  container.dispose();
  container.dispose();
  expect(state.disposed).toEqual(['nested', 'numbers']);
});

it('gives options without importing code', () => {
  expect(container.resolved('metric', { id: 'broken' })).toEqual({ size: 4 });
});

it('says what is wrong, with names', async () => {
  expect(await failure(container.plugin('dataset', { id: 'number' }))).toMatchInlineSnapshot(
    `"[dataset] there is no dataset "number". Did you mean "numbers"?"`,
  );
  // A plugin that asks for another one is named.
  expect(await failure(container.plugin('model', { id: 'asking' }))).toBe(
    '[model/asking] there is no dataset "numbrs". Did you mean "numbers"?',
  );
  expect(await failure(container.plugin('dataset', { id: 'numbers', options: { size: 0.5 } }))).toMatchInlineSnapshot(
    `"[dataset/numbers /size] must be integer, got 0.5."`,
  );
  expect(await failure(container.plugin('metric', { id: 'broken' }))).toMatch(
    /^\[metric\/broken\] the package trial-metric-broken cannot be imported from /,
  );
  expect(await failure(container.plugin('metric', { id: 'nameless' }))).toMatchInlineSnapshot(
    `"[metric/nameless] the package trial-metric-nameless exports no function nameless; it exports other. Correct "export" in its plugin.json."`,
  );
});

it('names the plugin whose factory throws, and passes on what it throws as the cause', async () => {
  await expect(container.plugin('metric', { id: 'refusing' })).rejects.toMatchObject({
    message: `[metric/refusing] its factory threw: cannot be made (${join(root, 'metric-refusing/src/index.ts')}:1).`,
    cause: new TypeError('cannot be made'),
  });
});

it('makes the eager engine of this package', async () => {
  const { openRegistry } = await import('../src/registry.ts');
  const own = createContainer({ registry: openRegistry(), files });
  const engine = await own.plugin('engine', { id: 'eager' });
  expect(engine.id).toBe('eager');
  expect(await own.plugin('engine', { id: 'eager' })).toBe(engine);
});

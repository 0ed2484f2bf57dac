import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createContainer, type Files, loadRegistries, PluginError, pluginPlace, stackFrames } from '../src/index.ts';

const root = mkdtempSync(join(tmpdir(), 'tweedie-fault-'));
afterAll(() => rmSync(root, { recursive: true }));

const manifest = {
  kind: 'operator',
  id: 'mine',
  export: 'mine',
  title: 'Mine',
  options: { type: 'object', additionalProperties: false, properties: {} },
};
let count = 0;
/** The operator whose source is `code` and whose manifest has `changes`, made as a comparison makes it. */
const make = async (code: string, changes: object = {}): Promise<unknown> => {
  const folder = join(root, String(count++));
  mkdirSync(folder);
  writeFileSync(join(folder, 'plugin.json'), JSON.stringify({ ...manifest, ...changes }));
  writeFileSync(join(folder, 'package.json'), '{ "name": "mine", "type": "module", "exports": "./index.js" }');
  writeFileSync(join(folder, 'index.js'), code);
  const container = createContainer({ registry: loadRegistries([], [folder]), files: {} as Files });
  return container.plugin('operator', { id: 'mine', options: {} }, { imageShape: [1, 1, 1] });
};
const messageFrom = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'nothing was thrown',
    (error: Error) => error.message.replaceAll(root, ''),
  );

describe('a fault of a plugin names the plugin', () => {
  it.each([
    ["export const mine = () => {\n  throw new Error('boom');\n};", 'its factory threw: boom (/0/index.js:2).'],
    ["export const mine = async () => {\n\n throw new Error('boom.');\n};", 'its factory threw: boom (/1/index.js:3).'],
    ["export const mine = () => Promise.reject('just text');", 'its factory threw: just text.'],
    ['export const mine = () => null;', 'its factory gave null. Return an object with draw, forward.'],
    ['export const mine = async () => {};', 'its factory gave undefined. Return an object with draw, forward.'],
    [
      'export const mine = () => ({ forward: (x) => x });',
      'its factory gave an object without draw. Add what is missing.',
    ],
    [
      'export class mine { forward(x) { return x; } }',
      'mine in the package mine is a class; a factory is called without new. Export a function that makes the operator: (options, context) => ({ ... }).',
    ],
  ])('%j', async (code, message) => {
    expect(await messageFrom(make(code))).toBe(`[operator/mine] ${message}`);
  });

  it('and is no fault of the input, but keeps its cause', async () => {
    const error = await make("export const mine = () => { throw new RangeError('boom'); };").catch(
      (thrown: Error) => thrown,
    );
    expect(error).toBeInstanceOf(PluginError);
    expect((error as Error).cause).toBeInstanceOf(RangeError);
  });

  it('where the schema of its options is not one', async () => {
    const options = { ...manifest.options, properties: { a: { type: 'strng', description: 'a' } } };
    expect(await messageFrom(make('export const mine = () => null;', { options }))).toMatch(
      /^\[\/\d+\/plugin\.json \/options\] is not a valid JSON Schema: .* Correct the schema\.$/,
    );
  });

  it('later than its factory: the innermost line of a plugin in the stack, that of the cause first', async () => {
    const operator = (await make(
      'const call = (f) => f();\nexport const mine = () => ({ draw: () => ({}),\n  forward: () => call(() => missing) });',
    )) as { forward(): unknown };
    const thrown = await Promise.resolve()
      .then(() => operator.forward())
      .catch((error: unknown) => new Error('it failed', { cause: error }));
    expect(pluginPlace(thrown)).toEqual({ plugin: 'operator/mine', line: expect.stringMatching(/index\.js:3$/) });
    expect(pluginPlace(new Error('of this file'))).toBeUndefined();
    expect(pluginPlace('text')).toBeUndefined();
  });
});

it('reads files and lines from a stack, also behind an await', () => {
  const stack = 'Error: x\n    at f (/a/b.ts:1:2)\n    at async file:///c/d.ts:3:4\n    at async g (file:///e.ts:5:6)';
  expect(stackFrames(stack)).toEqual([
    { file: '/a/b.ts', line: '1' },
    { file: '/c/d.ts', line: '3' },
    { file: '/e.ts', line: '5' },
  ]);
});

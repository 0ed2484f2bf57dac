import { writeFileSync, mkdtempSync, rmSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { tryDevice } from '../src/check-machine/devices.ts';
import { tweedie } from './start.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-doctor-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** An engine whose library writes past Node.js on standard error, as a driver does, and then does what it is told. */
const loud = (name: string, body: string): readonly string[] => {
  mkdirSync(join(folder, name));
  const file = (path: string, text: string) => writeFileSync(join(folder, name, path), text);
  const options = {
    type: 'object',
    additionalProperties: false,
    properties: { device: { enum: ['slow', 'fast'], default: 'slow', description: 'where' } },
  };
  file('plugin.json', JSON.stringify({ kind: 'engine', id: name, export: 'make', title: 'Loud', options }));
  file('package.json', JSON.stringify({ name, type: 'module', exports: './index.ts' }));
  file(
    'index.ts',
    `import { writeSync } from 'node:fs';
import { eagerEngine } from '@tweedie/core';
export const make = ({ device }) => {
  writeSync(2, "Warning: Couldn't load the driver\\n    at operator() (/build/source.cpp:368)\\n\\n");
  ${body}
  return { ...eagerEngine(), facts: { device } };
};`,
  );
  writeFileSync(join(folder, `${name}.json`), JSON.stringify({ plugins: { [`engine/${name}`]: `./${name}` } }));
  return [join(folder, `${name}.json`)];
};

it('tries a device in a process of its own, and gives its facts', async () => {
  expect(await tryDevice('onnxruntime', 'cpu', {})).toMatch(/^onnxruntime \S+, device cpu, threads \d+$/);
  expect(await tryDevice('loud', 'fast', { registries: loud('loud', '') })).toBe('device fast');
});

it('says in words what a driver wrote past Node.js, and that it crashed', async () => {
  const refuses = loud('refusing', "throw new Error('no adapter.');");
  await expect(tryDevice('refusing', 'fast', { registries: refuses })).rejects.toThrow(
    /^untested here: .*no adapter \(.*index\.ts:5\)\. \(The driver says: Couldn't load the driver\.\)$/,
  );
  const crashes = loud('crashing', "process.kill(process.pid, 'SIGKILL');");
  await expect(tryDevice('crashing', 'fast', { registries: crashes })).rejects.toThrow(
    "untested here: its process ended with SIGKILL. (The driver says: Couldn't load the driver.)",
  );
});

it('writes nothing but its checks', async () => {
  const { out, err } = await tweedie(['doctor']);
  expect(err).toBe('');
  for (const line of out.trimEnd().split('\n')) expect(line).toMatch(/^(ok|absent|broken) +\S/);
});

/** The kits without a test runner, on the plugins that `tweedie new` copies. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { runKit } from '../src/index.ts';
import type { BlockOutcome } from '../src/run-kit.ts';

const templates = fileURLToPath(new URL('../../../templates', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tweedie-kit-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function outcomesOf(plugin: string): Promise<readonly BlockOutcome[]> {
  const outcomes: BlockOutcome[] = [];
  for await (const outcome of runKit(plugin)) outcomes.push(outcome);
  return outcomes;
}

it.each([
  ['guidance', ['defaults']],
  ['operator', ['defaults, images [8, 8, 3]', 'defaults, images [1, 16, 1]']],
  ['scheduler', ['defaults, on a vp process', 'defaults, on a ve process']],
  ['model', ['defaults']],
  ['metric', ['defaults']],
  ['dataset', ['defaults']],
])('%s: every check of every block passes', async (kind, titles) => {
  const outcomes = await outcomesOf(join(templates, kind));
  expect(outcomes.map(({ title }) => title)).toEqual(titles);
  expect(outcomes.flatMap(({ failures }) => failures)).toEqual([]);
  for (const { checks } of outcomes) expect(checks.length).toBeGreaterThan(4);
});

it('a plugin that cannot be made is one failure', async () => {
  const place = join(folder, 'metric');
  cpSync(join(templates, 'metric'), place, { recursive: true });
  const manifest = join(place, 'plugin.json');
  const text = readFileSync(manifest, 'utf8').replace('"properties"', '"required": ["black"], "properties"');
  writeFileSync(
    manifest,
    text.replace('"white"', '"black": { "type": "number", "description": "its value" }, "white"'),
  );
  expect(await outcomesOf(place)).toMatchObject([
    {
      title: 'defaults',
      checks: ['it can be made with its defaults'],
      failures: [{ name: 'it can be made with its defaults' }],
    },
  ]);
});

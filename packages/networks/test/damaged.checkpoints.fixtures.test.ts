/** Files of every format that were damaged at random: one clear error, or tensors; no crash, no hang, no gigabytes. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, sizeOf, tf } from '@tweedie/core';
import { fixtureFolder, fixtureReport, hasFixture } from '@tweedie/testing/fixtures';
import fc from 'fast-check';
import { expect } from 'vitest';
import { openEdm } from '../src/edm/file.ts';
import { openTensors, type StoredTensors } from '../src/index.ts';
import { edmParameters } from '../src/edm/plan.ts';
import { readWeights } from '../src/parameters.ts';
import { damaged, damageTo, inMemory } from './mutations.ts';

const report = fixtureReport('checkpoints', 'damaged');
const folder = fixtureFolder('checkpoints');
const sound = hasFixture('checkpoints', '.')
  ? readdirSync(folder).filter((name) => /\.(pt|safetensors)$/.test(name))
  : [];

const readAll = async ({ shapes, read }: StoredTensors): Promise<Map<string, unknown>> => {
  const all = new Map<string, unknown>();
  for (const name of shapes.keys()) all.set(name, await read(name));
  return all;
};

for (const file of sound)
  report.case(`${file}, 200 times`, async () => {
    const bytes = new Uint8Array(readFileSync(join(folder, file)));
    const whole = await readAll(await openTensors(file, inMemory({ [file]: bytes })));
    const checksummed = bytes[0] === 0x50;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(damageTo(bytes.length), async (damage) => {
        const other = damaged(bytes, damage);
        const started = performance.now();
        try {
          const tensors = await openTensors(file, inMemory({ [file]: other }));
          const numbers = [...tensors.shapes.values()].reduce((sum, shape) => sum + sizeOf(shape), 0);
          expect(numbers).toBeLessThan(1e7);
          const got = await readAll(tensors);
          // The CRC of a zip archive covers names, shapes and numbers: what is read is what was written.
          if (checksummed) for (const [name, entry] of got) expect(entry, name).toEqual(whole.get(name));
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          expect(error.message).toMatch(/^\[[^\]]+\] [^]+\. [A-Z][^]+$/);
          refused++;
        }
        expect(performance.now() - started).toBeLessThan(2000);
      }),
      { numRuns: 200, seed: 16 },
    );
    expect(refused).toBeGreaterThan(20);
  });

const pickle = join(fixtureFolder('network-formats'), 'bad', 'module-src-writes.pkl');
if (hasFixture('network-formats', 'bad/module-src-writes.pkl'))
  report.case('a pickle of NVlabs/edm, 200 times', async () => {
    const bytes = new Uint8Array(readFileSync(pickle));
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(damageTo(bytes.length), async (damage) => {
        const started = performance.now();
        try {
          const { config, checkpoint } = await openEdm('net.pkl', inMemory({ 'net.pkl': damaged(bytes, damage) }));
          const weights = await readWeights(edmParameters(config, 'net.pkl'), checkpoint);
          tf.dispose([...weights.values()]);
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          expect(error.message).toMatch(/^\[[^\]]+\] [^]+\. [A-Z][^]+$/);
          refused++;
        }
        expect(performance.now() - started).toBeLessThan(5000);
      }),
      { numRuns: 200, seed: 16 },
    );
    expect(refused).toBeGreaterThan(20);
  });

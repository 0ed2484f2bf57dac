/** Shards of a run, and what they are merged to. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '@tweedie/core';
import { compare, merge, openStore, type Cell, type Comparison, type ExperimentInput } from '../src/index.ts';
import { parseShard } from '../src/run/shards.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-shards-'));
const recipe: ExperimentInput = {
  title: 'Two wells',
  model: {
    id: 'gmm',
    options: {
      shape: [1, 2, 1],
      means: [
        [-1, 0],
        [1, 0],
      ],
      variances: [0.1, 0.2],
    },
  },
  images: { from: 'prior', count: 7 },
  operators: ['identity', { id: 'inpaint', options: { rate: 0.5 } }],
  sigmaY: 0.2,
  // The first and the last are one method under two labels: they share their samples.
  methods: ['none', 'exact', 'dps', { id: 'none', label: 'the same' }],
  scheduler: { id: 'ddpm', options: { steps: 8 } },
  engine: 'eager',
  samples: 2,
  chunk: 4,
  trace: 3,
};
const cellsOf = async (run: string): Promise<Map<string, Cell>> => {
  const store = await openStore(run);
  try {
    return await store.cells();
  } finally {
    store.close();
  }
};
const bitsOf = async (run: string) =>
  [...(await cellsOf(run)).values()].map((cell) => [cell.key, cell.sampleHash]).sort();
/** The table without what a clock decides. */
const tableOf = ({ json: { rows, misfit, distances, outside, failures, cost } }: Comparison) => ({
  rows,
  misfit,
  distances,
  outside,
  failures,
  cost: cost.map(({ secondsPerSample: _, ...calls }) => calls),
});
const out = join(folder, 'sharded');
const shardOf = (i: number): string => `${out}-shard-${i}-of-4`;
const shards = [0, 1, 2, 3].map(shardOf);
const whole = join(folder, 'whole');
let plain: Comparison;
beforeAll(async () => {
  plain = await compare({ recipe, out: whole });
  for (const i of [0, 1, 2, 3]) {
    const { table } = await compare({ recipe, out, shard: `${i}/4` });
    expect(table).toContain(`Shard ${i} of 4: `);
  }
});

describe('shards', () => {
  it('are all cells, each once, and of about equal cost', async () => {
    const parts = [];
    for (const shard of shards) parts.push([...(await cellsOf(shard)).keys()]);
    expect(existsSync(out)).toBe(false);
    expect(parts.flat().sort()).toEqual([...(await cellsOf(whole)).keys()].sort());
    // 8 steps of one forward, or of one forward and one vjp; four samples at once.
    const costs = await Promise.all(
      shards.map(async (shard) =>
        [...(await cellsOf(shard)).values()].reduce((sum, { method }) => sum + (method === 'dps' ? 24 : 8), 0),
      ),
    );
    expect(Math.max(...costs) - Math.min(...costs)).toBeLessThanOrEqual(2 * 4 * 24);
  });

  it('are merged to the bits and the table of a run in one place', async () => {
    const merged = await merge({ folders: shards, out });
    expect(merged).toMatchObject({ missing: 0, different: 0, samples: 6 * 7 * 2 });
    expect(merged.cpus).toHaveLength(1);
    expect(await bitsOf(out)).toEqual(await bitsOf(whole));
    expect(tableOf(merged)).toEqual(tableOf(plain));
    const index = (run: string): object => JSON.parse(readFileSync(join(run, 'run.json'), 'utf8')) as object;
    const command = `npx tweedie compare <recipe> --out ${out}`;
    expect(index(out)).toEqual({ ...index(whole), command });
    // Nothing is left to do there.
    const phases = new Set<string>();
    const again = await compare({ recipe, out, onProgress: ({ phase }) => phases.add(phase) });
    expect(tableOf(again)).toEqual(tableOf(plain));
    expect(phases.has('measures')).toBe(false);
    expect(await bitsOf(out)).toEqual(await bitsOf(whole));
  });

  it('say what is missing where one is, which a second submission draws', async () => {
    const part = join(folder, 'part');
    const first = await merge({ folders: [shardOf(0), shardOf(2), shardOf(3)], out: part });
    const lacking = (await cellsOf(shardOf(1))).size;
    expect(first.missing).toBe(lacking);
    expect(first.table).toContain(`Missing: ${lacking} of 84 samples.\n`);
    expect(first.table).toContain(`To draw them: npx tweedie compare <recipe> --out ${part}`);
    for (const i of [0, 1]) await compare({ recipe, out: part, shard: `${i}/2` });
    const second = [0, 1].map((i) => `${part}-shard-${i}-of-2`);
    expect((await cellsOf(second[0] ?? '')).size + (await cellsOf(second[1] ?? '')).size).toBe(lacking);
    const merged = await merge({ folders: second, out: part });
    expect(merged.missing).toBe(0);
    expect(await bitsOf(part)).toEqual(await bitsOf(whole));
    expect(tableOf(merged)).toEqual(tableOf(plain));
  });

  it('are not merged with what is not of the same run', async () => {
    const other = join(folder, 'other');
    const fewer = join(folder, 'fewer');
    await compare({ recipe: { ...recipe, seed: 1, methods: ['none'] }, out: other });
    await compare({ recipe, overrides: { limit: 6 }, out: fewer });
    const refused = join(folder, 'refused');
    await expect(merge({ folders: [shardOf(0), other], out: refused })).rejects.toThrow(
      `[${other}] cannot be merged with ${shardOf(0)}: they are runs of different recipes.`,
    );
    await expect(merge({ folders: [shardOf(0), fewer], out: refused })).rejects.toThrow(
      `[${fewer}] cannot be merged with ${shardOf(0)}: their rows, images or samples are not the same.`,
    );
    // Other code, as a folder of a machine with another version of a plugin has it.
    const older = join(folder, 'older');
    cpSync(shardOf(1), older, { recursive: true });
    const index = readFileSync(join(older, 'run.json'), 'utf8');
    writeFileSync(join(older, 'run.json'), index.replace(/(guidance-dps [\d.]+, code) \w+/, '$1 0123456789ab'));
    await expect(merge({ folders: [shardOf(0), older], out: refused })).rejects.toThrow(
      /cannot be merged with .*: guidance\/dps is @tweedie\/guidance-dps .*, code \w+ in .*, and .*code 0123456789ab in /,
    );
    await expect(merge({ folders: [join(folder, 'nowhere')], out: refused })).rejects.toBeInstanceOf(ConfigError);
    expect(existsSync(refused)).toBe(false);
  });

  it('say that kinds of CPU were mixed, and keep the first of two samples that differ', async () => {
    const elsewhere = join(folder, 'elsewhere');
    cpSync(shardOf(1), elsewhere, { recursive: true });
    const index = readFileSync(join(elsewhere, 'run.json'), 'utf8');
    writeFileSync(
      join(elsewhere, 'run.json'),
      index.replace(/("name":"machine","value":")[^"]*/, '$1Another CPU, 8 threads, linux, Node v20.19.0'),
    );
    const { table, cpus } = await merge({ folders: [shardOf(0), elsewhere], out: join(folder, 'mixed') });
    expect(cpus).toHaveLength(2);
    expect(table).toMatch(/Drawn on 2 kinds of CPU, whose last bits may differ: .*; Another CPU\./);
    rmSync(elsewhere, { recursive: true });
  });
});

it.each([
  ['4/4', 'there is no shard 4 of 4: they begin at 0.'],
  ['0/0', 'a run has 1 to 10000 shards, not 0.'],
  ['-1/4', '"-1/4" is no shard.'],
  ['2', '"2" is no shard.'],
  ['/4', '"/4" is no shard.'],
  ['1.5/4', '"1.5/4" is no shard.'],
])('the shard %s is refused', (text, what) => {
  expect(() => parseShard(text)).toThrow(
    `[--shard] ${what} Give i/n with i from 0 to n - 1: --shard 0/4 to --shard 3/4 are the four shards of a run.`,
  );
});

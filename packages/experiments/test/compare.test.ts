import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { CancelledError } from '@tweedie/core';
import { encodePng } from '@tweedie/files';
import { commandOf } from '../src/plan/command.ts';
import {
  compare,
  openStore,
  report,
  type Cell,
  type Comparison,
  type CompareOptions,
  type ExperimentInput,
} from '../src/index.ts';

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
  images: { from: 'prior', count: 5 },
  operators: ['identity', { id: 'inpaint', options: { rate: 0.5 } }],
  sigmaY: 0.2,
  methods: ['none', 'exact'],
  scheduler: { id: 'ddpm', options: { steps: 5 } },
  engine: 'eager',
  samples: 2,
  chunk: 4,
};
const newFolder = (): string => join(mkdtempSync(join(tmpdir(), 'tweedie-compare-')), 'run');
const cellsOf = async (folder: string): Promise<Map<string, Cell>> => {
  const store = await openStore(folder);
  try {
    return await store.cells();
  } finally {
    store.close();
  }
};
/** The table without what a clock or the allocator decides. */
const numbers = ({ json: { rows, cost, failures } }: Comparison) => ({
  rows,
  failures,
  cost: cost.map(({ secondsPerSample: _, ...calls }) => calls),
});
/** Stops a run after so many steps. */
const interruptAfter = (steps: number, options: CompareOptions): Promise<Comparison> => {
  const controller = new AbortController();
  let seen = 0;
  return compare({
    ...options,
    signal: controller.signal,
    onProgress: ({ phase }) => (phase === 'sampling' && ++seen > steps ? controller.abort() : undefined),
  });
};

describe('compare', () => {
  const out = newFolder();
  let whole: Comparison;
  let cells: Map<string, Cell>;
  beforeAll(async () => {
    whole = await compare({ recipe, out });
    cells = await cellsOf(out);
  });

  it('gives a row, with its cost, of every operator and method', () => {
    const { rows, cost, failures, run } = whole.json;
    expect(run).toBe(out);
    expect(rows.map(({ operator, method, metric, n }) => [operator, method, metric, n])).toEqual([
      ['identity', 'none', 'psnr', 5],
      ['identity', 'exact', 'psnr', 5],
      ['inpaint', 'none', 'psnr', 5],
      ['inpaint', 'exact', 'psnr', 5],
    ]);
    expect(cost.slice(0, 2).map(({ forwards, vjps }) => [forwards, vjps])).toEqual([
      [5, 0],
      [5, 0],
    ]);
    expect(cost.every(({ secondsPerSample }) => secondsPerSample > 0)).toBe(true);
    expect(failures).toEqual([]);
    expect(rows[1]?.mean).toBeGreaterThan(rows[0]?.mean ?? NaN);
    expect(whole.table).toContain('Two wells: 5 images, 2 samples each');
    expect(readFileSync(whole.report, 'utf8')).toContain('Two wells');
    expect(cells.size).toBe(4 * 5 * 2);
  });

  it('draws nothing twice', async () => {
    const again = await compare({ recipe, out });
    expect(again.json).toEqual(whole.json);
    expect(await cellsOf(out)).toEqual(cells);
  });

  it('makes the same table from the folder alone', async () => {
    const { json, table } = await report(out);
    expect(json).toEqual(whole.json);
    expect(table).toBe(whole.table);
  });

  it('continues after an interruption, and ends with the same numbers', async () => {
    const folder = newFolder();
    await expect(interruptAfter(22, { recipe, out: folder })).rejects.toBeInstanceOf(CancelledError);
    const before = await cellsOf(folder);
    expect(before.size).toBeGreaterThan(0);
    expect(before.size).toBeLessThan(cells.size);
    expect((await report(folder)).table).toContain(`(unfinished: ${before.size} of ${cells.size} samples)`);

    const resumed = await compare({ recipe, out: folder });
    expect(numbers(resumed)).toEqual(numbers(whole));
    const after = await cellsOf(folder);
    for (const [key, { sampleHash, started }] of before) expect(after.get(key)).toMatchObject({ sampleHash, started });
  });

  it('gives a sample the same bits whatever else is compared', async () => {
    const folder = newFolder();
    await compare({
      recipe: {
        ...recipe,
        images: { from: 'prior', count: 3 },
        methods: ['dps', { id: 'exact', label: 'truth' }],
        operators: [{ id: 'inpaint', options: { rate: 0.5 } }],
        samples: 3,
      },
      out: folder,
    });
    const others = await cellsOf(folder);
    const shared = [...others].filter(([key]) => cells.has(key));
    expect(shared).toHaveLength(3 * 2);
    for (const [key, cell] of shared) expect(cell.sampleHash).toBe(cells.get(key)?.sampleHash);
  });

  it('draws what two rows share once', async () => {
    const folder = newFolder();
    let last = 0;
    const { json } = await compare({
      recipe: { ...recipe, operators: ['identity'], methods: ['exact', { id: 'exact', label: 'the same' }] },
      out: folder,
      onProgress: ({ phase, done, total }) => (phase === 'sampling' ? (last = done / total) : undefined),
    });
    expect((await cellsOf(folder)).size).toBe(5 * 2);
    expect(json.rows.map(({ mean }) => mean)).toEqual(Array(2).fill(json.rows[0]?.mean));
    expect(json.cost[0]).toEqual({ ...json.cost[1], label: 'exact' });
    expect(last).toBe(1);
  });

  it('measures how far samples are from their measurement', () => {
    const of = (name: string): number[] =>
      whole.json.misfit.filter(({ method }) => method === name).map(({ mean }) => mean);
    for (const misfit of of('exact')) expect(misfit).toBeLessThan(1.5);
    of('none').forEach((misfit, i) => expect(misfit).toBeGreaterThan(1.5 * (of('exact')[i] ?? NaN)));
  });

  it('scores samples that were drawn before a metric was named', async () => {
    const more = await compare({ recipe: { ...recipe, metrics: ['psnr', { id: 'psnr', label: 'again' }] }, out });
    expect(await cellsOf(out)).toEqual(cells);
    expect(more.json.rows.filter(({ metric }) => metric === 'again').map(({ mean }) => mean)).toEqual(
      whole.json.rows.map(({ mean }) => mean),
    );
  });

  it('shows a pair that cannot work as skipped', async () => {
    const { table, json } = await compare({
      recipe: {
        ...recipe,
        impossible: 'skip',
        samples: 1,
        methods: ['exact', { id: 'dps-w', label: 'cached', options: { cache: true } }],
      },
      out: newFolder(),
    });
    expect(table).toContain('  cached: skipped, the score cache needs');
    expect(json.rows.map(({ operator, label }) => [operator, label])).toEqual([
      ['identity', 'exact'],
      ['identity', 'cached'],
      ['inpaint', 'exact'],
    ]);
  });

  it('counts samples that fail, and does not score them', async () => {
    const folder = newFolder();
    const wild: ExperimentInput = {
      ...recipe,
      operators: ['identity'],
      methods: ['exact', { id: 'dps', label: 'wild', options: { scale: 1e30 } }],
    };
    const { json, table } = await compare({ recipe: wild, out: folder });
    expect(json.failures).toHaveLength(5 * 2);
    expect(json.failures[0]).toMatchObject({ operator: 'identity', label: 'wild', sample: 0 });
    expect(json.failures[0]?.reason).toMatch(/diverged|not a number/);
    expect(json.rows.map(({ label }) => label)).toEqual(['exact']);
    expect(table).toContain('failed');
    // One row with scores has nothing to differ from.
    expect(table).not.toContain('unresolved');
    expect(table).toMatch(
      /^  wild: 10 of 10 samples failed, the first of prior 0 at step \d+: (diverged|not a number).*/m,
    );
    const before = await cellsOf(folder);
    await compare({ recipe: wild, out: folder });
    expect(await cellsOf(folder)).toEqual(before);
  });

  it('keeps in the report, and in what is stored of the run, how many pixels a mask hides', async () => {
    const out = newFolder();
    const mask = join(mkdtempSync(join(tmpdir(), 'tweedie-mask-')), 'mask.png');
    writeFileSync(mask, await encodePng(Float32Array.of(-1, -1, -1, 1, 1, 1), [1, 2, 3]));
    const { report } = await compare({
      recipe: {
        ...recipe,
        operators: [{ id: 'inpaint', options: { pattern: 'file', file: mask } }],
        methods: ['none'],
      },
      out,
    });
    const note = `[operator/inpaint] the mask ${mask} hides 1 of 2 pixels (black is hidden).`;
    const { provenance } = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8')) as { provenance: object[] };
    expect(provenance).toContainEqual({ name: 'note', value: note });
    expect(readFileSync(report, 'utf8')).toContain(note);
  });

  it('says which operator gives no numbers on samples, in place of a misfit that is missing without a word', async () => {
    const place = mkdtempSync(join(tmpdir(), 'tweedie-root-'));
    const options = { type: 'object', additionalProperties: false, properties: {} };
    writeFileSync(
      join(place, 'plugin.json'),
      JSON.stringify({ kind: 'operator', id: 'root', export: 'root', title: 'Root', options }),
    );
    writeFileSync(join(place, 'package.json'), '{ "name": "root", "type": "module", "exports": "./index.js" }');
    // Finite on entries below 1: on these clean images, but not on all samples.
    writeFileSync(
      join(place, 'index.js'),
      'export const root = () => ({ linear: false, measurementShape: [1, 2, 1], draw: () => ({}), forward: (x) => x.sub(1).neg().sqrt() });',
    );
    writeFileSync(join(place, 'registry.json'), '{ "plugins": { "operator/root": "./" } }');
    const { json, table, report } = await compare({
      recipe: { ...recipe, operators: ['identity', 'root'], methods: ['none'] },
      registries: [join(place, 'registry.json')],
      out: newFolder(),
    });
    const [{ samples = 0, first = '', ...row } = {}] = json.unmeasured;
    expect(row).toEqual({ operator: 'root', sigmaY: 0.2, method: 'none', label: 'none', of: 10 });
    expect(samples).toBeGreaterThan(0);
    const why = `no misfit of ${samples} of 10 samples, the first of ${first}: operator root gives NaN or infinity on them`;
    expect(table.split('\n').filter((line) => line.includes('no misfit'))).toEqual([`  none: ${why}`]);
    expect(readFileSync(report, 'utf8')).toContain(why);
  });

  it('refuses a metric that cannot score these images before it draws a sample', async () => {
    const phases = new Set<string>();
    const refused = compare({
      recipe: { ...recipe, metrics: ['psnr', 'ssim'] },
      out: newFolder(),
      onProgress: ({ phase }) => phases.add(phase),
    });
    await expect(refused).rejects.toThrow('[metric/ssim] images of 1 by 2 are smaller');
    expect([...phases]).toEqual(['problems']);
  });

  it('tells the progress of all scores as one', async () => {
    const seen: string[] = [];
    await compare({
      recipe,
      out: newFolder(),
      onProgress: ({ phase, done, total }) => (phase === 'scores' ? seen.push(`${done} of ${total}`) : undefined),
    });
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => `${i + 1} of 20`));
  });

  it('keeps x0hat on the way', async () => {
    const folder = newFolder();
    await compare({
      recipe: { ...recipe, methods: ['exact'], operators: ['identity'], trace: 3, traceImages: 2 },
      out: folder,
    });
    const { readTrace } = await import('../src/run/traces.ts');
    const traces = await Promise.all([...(await cellsOf(folder)).keys()].map((key) => readTrace(folder, key)));
    const kept = traces.filter((trace) => trace !== undefined);
    expect(kept).toHaveLength(2);
    expect(kept[0]?.frames.map((frame) => frame.length)).toEqual([2, 2, 2]);
    expect([...(kept[0]?.levels ?? [])].sort((a, b) => b - a)).toEqual(kept[0]?.levels);
  });

  it('says how much uncertainty is white', async () => {
    const model = { id: 'gmm', options: { shape: [2, 2, 1], means: [[0, 0, 0, 0]], variances: [0.2] } };
    const pictured = await compare({
      recipe: { ...recipe, model, images: { from: 'prior', count: 1 }, methods: ['exact'], operators: ['identity'] },
      out: newFolder(),
    });
    expect(readFileSync(pictured.report, 'utf8')).toMatch(/white is 0\.\d+/);
  });
});

it('the command that is shown is one that a shell takes', () => {
  expect(commandOf('compare', { recipe: "two words/it's.yaml", overrides: { seed: 3 }, out: 'a b' })).toBe(
    "npx tweedie compare 'two words/it'\\''s.yaml' --seed 3 --out 'a b'",
  );
  const engine = { id: 'onnxruntime', options: { device: 'cuda' } };
  expect(commandOf('plan', { recipe: 'r.yaml', overrides: { engine } })).toBe(
    `npx tweedie plan r.yaml --engine 'onnxruntime:{"device":"cuda"}'`,
  );
  expect(commandOf('tune', { recipe: 'r.yaml', registries: ['my.json'], localRegistries: false })).toBe(
    'npx tweedie tune r.yaml --registry my.json --no-local-registry',
  );
});

it('a run folder may hold two recipes: neither is mixed into the other, and the report is of the last', async () => {
  const folder = newFolder();
  const small: ExperimentInput = {
    ...recipe,
    operators: ['identity'],
    images: { from: 'prior', count: 2 },
    samples: 1,
  };
  const other: ExperimentInput = {
    ...small,
    title: 'Other',
    methods: [{ id: 'dps', options: { scale: 0.1 } }],
    sigmaY: 0.5,
    seed: 3,
  };
  const said: string[] = [];
  const listen = vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0);
  try {
    const first = await compare({ recipe: small, out: folder });
    const cells = await cellsOf(folder);
    const second = await compare({ recipe: other, out: folder });
    expect(said.splice(0)).toEqual([
      `Warning: [${folder}] is the run folder of "Two wells". Its samples are kept, but the report there is now that of "Other"; with another --out each has its own.\n`,
    ]);
    expect(numbers(second)).toEqual(numbers(await compare({ recipe: other, out: newFolder() })));
    expect((await report(folder)).json).toEqual(second.json);
    const again = await compare({ recipe: small, out: folder });
    expect(numbers(again)).toEqual(numbers(first));
    const kept = await cellsOf(folder);
    expect(kept.size).toBe(2 * cells.size - 2);
    for (const [key, cell] of cells) expect(kept.get(key)).toEqual(cell);
  } finally {
    listen.mockRestore();
  }
});

describe('a run folder that cannot be used', () => {
  const messageOf = async (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'no error',
      (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : String(error)),
    );

  it('is named when it is not writable', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'tweedie-compare-')), 'file');
    writeFileSync(file, '');
    const message = await messageOf(compare({ recipe, out: join(file, 'run') }));
    expect(message).toMatch(
      /^ConfigError: \[.*file\/run\] cannot be written: ENOTDIR.* Make it writable or choose another folder with --out \(of tweedie tune: --run\), and run the same command again: what had finished is kept\.$/,
    );
  });

  it('is refused when its results come from a newer version', async () => {
    const folder = newFolder();
    (await openStore(folder)).close();
    const instance = await DuckDBInstance.create(join(folder, 'results.duckdb'));
    const connection = await instance.connect();
    await connection.run("UPDATE meta SET value = '99' WHERE name = 'version'");
    connection.closeSync();
    instance.closeSync();
    expect(await messageOf(compare({ recipe, out: folder }))).toMatch(
      /^ConfigError: \[.*results\.duckdb\] was written by a newer version of Tweedie \(format 99; this one reads up to 2\)/,
    );
  });

  it('is refused when its results are no results', async () => {
    const folder = newFolder();
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'results.duckdb'), 'nothing of the kind, but long enough to look at'.repeat(200));
    expect(await messageOf(compare({ recipe, out: folder }))).toMatch(
      /^ConfigError: \[.*results\.duckdb\] cannot be read as results/,
    );
  });

  it('is refused when its index is of a form that is not known', async () => {
    const folder = newFolder();
    mkdirSync(folder, { recursive: true });
    for (const text of ['[]', '{"title":"x"}']) {
      writeFileSync(join(folder, 'run.json'), text);
      expect(await messageOf(report(folder))).toMatch(
        /^ConfigError: \[.*run\.json\] is not the index of a run as this version writes it/,
      );
    }
  });

  it('is read again after its index was damaged', async () => {
    const folder = newFolder();
    const before = await compare({ recipe, out: folder });
    const path = join(folder, 'run.json');
    writeFileSync(path, readFileSync(path).subarray(0, 100));
    expect(await messageOf(report(folder))).toMatch(
      /^ConfigError: \[.*run\.json\] cannot be read: .*\. Run the same tweedie compare again, which makes this file anew and keeps what had finished\.$/,
    );
    const cells = await cellsOf(folder);
    expect(numbers(await compare({ recipe, out: folder }))).toEqual(numbers(before));
    expect(await cellsOf(folder)).toEqual(cells);
  });

  it('keeps what had finished when writing fails half way', async () => {
    const folder = newFolder();
    let done = 0;
    const stopped = compare({
      recipe,
      out: folder,
      onProgress: (event) => {
        if (event.phase !== 'sampling' || event.done < 2 * 4 * 5 || done > 0) return;
        done = event.done;
        rmSync(join(folder, 'samples'), { recursive: true });
        writeFileSync(join(folder, 'samples'), '');
      },
    });
    expect(await messageOf(stopped)).toMatch(
      /^ConfigError: .*cannot be written: .* run the same command again: what had finished is kept/,
    );
    rmSync(join(folder, 'samples'));
    const resumed = await compare({ recipe, out: folder });
    expect(resumed.json.failures).toEqual([]);
    expect((await cellsOf(folder)).size).toBe(4 * 5 * 2);
  });

  it('names a damaged sample or film once, and draws it again', async () => {
    const folder = newFolder();
    const traced = { ...recipe, trace: 2, traceImages: 1 };
    const whole = await compare({ recipe: traced, out: folder });
    const before = await cellsOf(folder);
    const files = [...new Set([...before.values()].map(({ file }) => file))];
    expect(readdirSync(join(folder, 'samples')).sort()).toEqual(files.map((file) => `${file}.safetensors`).sort());
    // 4 rows of 10 samples, in chunks of 4.
    expect(files).toHaveLength(4 * 3);
    const [emptied = '', cut = ''] = files.map((file) => join(folder, 'samples', `${file}.safetensors`));
    writeFileSync(emptied, '');
    writeFileSync(cut, readFileSync(cut).subarray(0, -4));
    const [film = ''] = readdirSync(join(folder, 'traces'));
    writeFileSync(join(folder, 'traces', film), '');
    const said: string[] = [];
    const listen = vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0);
    const lost = [...before.values()].filter(({ file }) => files.slice(0, 2).includes(file)).length;
    const { table } = await report(folder);
    expect(table).toContain(`(unfinished: ${40 - lost} of 40 samples)`);
    const messages = [emptied, cut].map((path) => {
      const own = [...before.values()].filter(({ file }) => path.endsWith(`${file}.safetensors`));
      const names = own.map(({ image, sample }) => `sample ${sample} of ${image}`);
      const list = [...names.slice(0, 3), ...(own.length > 3 ? ['1 more'] : [])].join(', ');
      return `Warning: [${path}] is damaged, and counts as not drawn: ${list}. The command of the run draws that again.\n`;
    });
    messages.sort();
    expect(said.splice(0).sort()).toEqual(messages);
    const again = await compare({ recipe: traced, out: folder });
    expect(said.sort()).toEqual(messages);
    listen.mockRestore();
    expect(numbers(again)).toEqual(numbers(whole));
    const after = await cellsOf(folder);
    expect([...after].map(([key, { sampleHash }]) => [key, sampleHash]).sort()).toEqual(
      [...before].map(([key, { sampleHash }]) => [key, sampleHash]).sort(),
    );
    const redrawn = [...after.values()].filter(
      ({ key, started }) => Number(before.get(key)?.started) !== Number(started),
    );
    expect(redrawn.length).toBeLessThanOrEqual(lost + 1);
    expect(readFileSync(join(folder, 'traces', film)).length).toBeGreaterThan(0);
  });

  it('says that a stored problem is gone, and makes it anew', async () => {
    const folder = newFolder();
    const pictured = {
      ...recipe,
      model: { id: 'gmm', options: { shape: [2, 2, 1], means: [[0, 0, 0, 0]], variances: [0.2] } },
    };
    const before = await compare({ recipe: pictured, out: folder });
    rmSync(join(folder, 'problems'), { recursive: true });
    expect(await messageOf(report(folder))).toMatch(
      /^ConfigError: \[.*\.safetensors\] is gone from the run folder\. Run the command of the run again: it makes what is missing anew\.$/,
    );
    expect(numbers(await compare({ recipe: pictured, out: folder }))).toEqual(numbers(before));
    await report(folder);
  });

  it('says that a stored problem was changed, and makes it anew', async () => {
    const folder = newFolder();
    const pictured = {
      ...recipe,
      model: { id: 'gmm', options: { shape: [2, 2, 1], means: [[0, 0, 0, 0]], variances: [0.2] } },
    };
    const before = await compare({ recipe: pictured, out: folder });
    const paths = readdirSync(join(folder, 'problems')).map((name) => join(folder, 'problems', name));
    const whole = paths.map((path) => readFileSync(path));
    paths.forEach((path, i) => {
      const bytes = readFileSync(path);
      bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
      writeFileSync(path, [bytes, '', bytes.subarray(0, -1)][i % 3]!);
    });
    expect(await messageOf(report(folder))).toMatch(
      /^ConfigError: \[.*\.safetensors\] has changed since it was written\. Run the command of the run again: it makes what is missing anew\.$/,
    );
    const said: string[] = [];
    const listen = vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0);
    const again = await compare({ recipe: pictured, out: folder });
    listen.mockRestore();
    expect(said.sort()).toEqual(
      paths.map((path) => `Warning: [${path}] was damaged: this problem is made again, the same as it was.\n`).sort(),
    );
    expect(numbers(again)).toEqual(numbers(before));
    expect(paths.map((path) => readFileSync(path))).toEqual(whole);
  });
});

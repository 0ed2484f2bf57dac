import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeNpy, decodeSafetensors, encodeNpy, sha256 } from '@tweedie/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compare, type ExperimentInput, exportProblems, openResults } from '../src/index.ts';
import { readIndex } from '../src/run/run-index.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-external-'));
afterAll(() => rmSync(folder, { recursive: true }));

const shape = [2, 2, 1] as const;
const samples = 3;
const standardNormal = { id: 'gmm', options: { shape: [...shape], means: [[0, 0, 0, 0]], variances: [1] } };
const recipe = (methods: ExperimentInput['methods'], more: Partial<ExperimentInput> = {}): ExperimentInput => ({
  title: 'Beside another program',
  model: standardNormal,
  images: { from: 'prior', count: 2 },
  operators: [{ id: 'inpaint', options: { pattern: 'random', rate: 0.5 } }],
  sigmaY: 0.3,
  methods,
  scheduler: { id: 'ddpm', options: { steps: 4 } },
  engine: 'eager',
  metrics: ['psnr'],
  samples,
  ...more,
});
const fromFolder = (place: string, label = 'ours') => ({ id: 'external', label, options: { samples: place } });

const problems = join(folder, 'problems');
let listed: Awaited<ReturnType<typeof exportProblems>>['problems'];
beforeAll(async () => {
  ({ problems: listed } = await exportProblems({ recipe: recipe(['none']), out: problems }));
});
const tensorsOf = (name: string, from = problems) => {
  const path = join(from, `${name}.safetensors`);
  return decodeSafetensors(readFileSync(path), path);
};
const numbers = (data: ArrayLike<number> | ArrayLike<bigint>): number[] => Array.from(data, Number);

/** A folder of samples that `valuesOf` makes for each problem. */
const samplesIn = (name: string, valuesOf: (problem: number) => Float32Array, count = samples): string => {
  const place = join(folder, name);
  mkdirSync(place, { recursive: true });
  for (const [i, { name: problem }] of listed.entries())
    writeFileSync(join(place, `${problem}.npy`), encodeNpy({ shape: [count, ...shape], data: valuesOf(i) }));
  return place;
};
const ramp = (problem: number): Float32Array => Float32Array.from({ length: samples * 4 }, (_, k) => problem + k / 10);

/** The samples of a row of a run, problem by problem. */
const samplesOf = async (run: string, label: string): Promise<readonly (readonly Float32Array[])[]> => {
  const results = await openResults(run);
  try {
    const row = readIndex(run).rows.find((own) => own.label === label);
    return await Promise.all((row?.cells ?? []).map((keys) => Promise.all(keys.map(results.readSample))));
  } finally {
    results.close();
  }
};

describe('problems for other programs', () => {
  it('hold y, what was drawn, x0, and A as a matrix', () => {
    expect(readdirSync(problems)).toHaveLength(5);
    for (const { name, hash, imageShape, measurementShape } of listed) {
      expect(name.endsWith(hash.slice(0, 12))).toBe(true);
      const tensors = tensorsOf(name);
      const path = join(problems, `${name}.matrix.npy`);
      const { shape: axes, data: a } = decodeNpy(readFileSync(path), path);
      expect([axes, imageShape, measurementShape]).toEqual([[4, 4], shape, shape]);
      const [x0, y, mask] = ['x0', 'y', 'drawn/0'].map((part) => numbers(tensors.get(part)?.data ?? []));
      const clean = y!.map((_, row) => x0!.reduce((sum, x, column) => sum + a[4 * row + column]! * x, 0));
      // Noise where the mask shows something, and nothing where it hides.
      y!.forEach((value, k) => {
        expect(clean[k]).toBeCloseTo(mask![k]! * x0![k]!, 6);
        if (mask![k] === 0) expect(Math.abs(value)).toBe(0);
        else expect(Math.abs(value - clean[k]!)).toBeLessThan(5 * 0.3);
      });
    }
  });

  it('are without x0 where that is not to be told', async () => {
    const out = join(folder, 'blind');
    const { problems: blind } = await exportProblems({ recipe: recipe(['none']), out, truth: false });
    expect(blind.map(({ hash }) => hash)).toEqual(listed.map(({ hash }) => hash));
    expect([...tensorsOf(blind[0]!.name, out).keys()]).toEqual(['drawn/0', 'y']);
  });
});

describe('samples of another program', () => {
  it('are a row of a comparison, bit by bit, and anew where a file has changed', async () => {
    const place = samplesIn('ramp', ramp);
    const run = join(folder, 'run');
    const options = { recipe: recipe([fromFolder(place), 'exact']), out: run };
    const { json, failures } = await compare(options);
    expect(failures).toEqual([]);
    expect((await samplesOf(run, 'ours')).flatMap((own) => own.flatMap(numbers))).toEqual(
      [0, 1].flatMap((problem) => numbers(ramp(problem))),
    );
    expect(json.rows.find(({ label }) => label === 'ours')?.n).toBe(2);
    samplesIn('ramp', (problem) => ramp(problem + 5));
    await compare(options);
    expect((await samplesOf(run, 'ours'))[0]?.flatMap(numbers)).toEqual(numbers(ramp(5)));
  });

  it('that are no numbers are failures of their own', async () => {
    const holed = samplesIn('holed', (problem) => ramp(problem).fill(NaN, 4, 5));
    const { failures } = await compare({ recipe: recipe([fromFolder(holed)]), out: join(folder, 'holed-run') });
    expect(failures.map(({ sample, reason }) => `${sample} ${reason}`)).toEqual([
      '1 not a number: a value became NaN',
      '1 not a number: a value became NaN',
    ]);
  });

  const refused = (method: { id: string; options: object }) =>
    compare({ recipe: recipe([{ ...method, label: 'ours' } as never]), out: join(folder, 'refused') });
  it('are asked for by name where they are missing, too few, or of another shape', async () => {
    const digits = listed[0]!.hash.slice(0, 12);
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    await expect(refused(fromFolder(empty))).rejects.toThrow(`has no samples of the problem ${digits}`);
    await expect(refused(fromFolder(samplesIn('few', () => new Float32Array(8), 2)))).rejects.toThrow(
      /has 2 samples, sample 3 is wanted/,
    );
    const other = samplesIn('other', () => new Float32Array(12));
    const file = join(other, `${listed[0]!.name}.npy`);
    writeFileSync(file, encodeNpy({ shape: [3, 4], data: new Float32Array(12) }));
    await expect(refused(fromFolder(other))).rejects.toThrow(
      /holds \[3, 4\], samples of this problem are \[n, 2, 2, 1\]/,
    );
    writeFileSync(file, 'no array');
    await expect(refused(fromFolder(other))).rejects.toThrow(/is no \.npy file/);
  });

  it('come from one place', async () => {
    await expect(refused({ id: 'external', options: {} })).rejects.toThrow(/there are no samples/);
    await expect(refused({ id: 'external', options: { samples: '.', command: ['x'] } })).rejects.toThrow(/both/);
  });

  it('of a program that fails tell what it said', async () => {
    const failing = (command: readonly string[]) => refused({ id: 'external', options: { command } });
    await expect(failing([process.execPath, '-e', 'throw new Error("out of ink")'])).rejects.toThrow(
      /ended with 1, and said/,
    );
    await expect(failing([process.execPath, '-e', '0'])).rejects.toThrow(/wrote no .*samples\.npy/);
    await expect(failing(['no-such-program-anywhere'])).rejects.toThrow(/could not be started/);
  });
});

const example = join(import.meta.dirname, '../../../plugins/guidance-external/example/gaussian.py');
const python = 'python3';
const hasNumpy = spawnSync(python, ['-c', 'import numpy']).status === 0;
describe.skipIf(!hasNumpy)('a method in Python, where NumPy is there', () => {
  it('draws from the posterior, called by the run or beforehand, with the same bits', async () => {
    const place = join(folder, 'python');
    mkdirSync(place);
    const drawn = 64;
    const wanted = Array.from({ length: drawn }, (_, sample) => sample).join(',');
    const blind = join(folder, 'blind');
    for (const { name } of listed)
      execFileSync(python, [example, join(blind, `${name}.safetensors`), join(place, `${name}.npy`), wanted]);
    const run = join(folder, 'python-run');
    const called = { id: 'external', label: 'called', options: { command: [python, example] } };
    const { json, failures } = await compare({
      recipe: recipe([fromFolder(place), called, 'posterior'], { samples: drawn }),
      out: run,
    });
    expect(failures).toEqual([]);
    const bits = async (label: string) =>
      (await samplesOf(run, label)).flat().map((x) => sha256(new Uint8Array(x.buffer)));
    expect(await bits('called')).toEqual(await bits('ours'));
    // Distances to the posterior lie where those of independent draws do.
    for (const label of ['ours', 'called']) {
      const distance = json.distances.find((row) => row.label === label && row.measure === 'slicedW1');
      expect(distance?.mean).toBeGreaterThan(distance?.iid?.low ?? NaN);
      expect(distance?.mean).toBeLessThan(distance?.iid?.high ?? NaN);
    }
  });
});

import { existsSync, mkdtempSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { CancelledError } from '@tweedie/core';
import { parse } from 'yaml';
import { encodePng } from '@tweedie/files';
import {
  compare,
  openStore,
  plan,
  readRecipe,
  tune,
  type ExperimentInput,
  type Tuned,
  type TuneOptions,
} from '../src/index.ts';
import { choose, gainOver, goOn } from '../src/tune/against-default.ts';
import { beyond, candidateValues, evenPoints } from '../src/tune/candidates.ts';
import type { Scored } from '../src/tune/result.ts';
import { byScore, candidatesFor, roundSizes, samplesFor, survivors } from '../src/tune/rounds.ts';

const newFolder = (): string => mkdtempSync(join(tmpdir(), 'tweedie-tune-'));

describe('the search', () => {
  it('doubles the images and halves the candidates', () => {
    expect([roundSizes(16), roundSizes(6), roundSizes(2)]).toEqual([
      [4, 8, 16],
      [2, 3, 6],
      [1, 2],
    ]);
    expect([0, 1, 2].map((round) => survivors(9, round))).toEqual([9, 5, 3]);
    expect(samplesFor(9, 16)).toBe(9 * 4 + 5 * 4 + 3 * 8);
  });

  it('takes the most candidates that a budget allows', () => {
    for (const samples of [3, 16, 80, 133, 1000]) {
      const count = candidatesFor(samples, 16);
      expect(samplesFor(count, 16)).toBeLessThanOrEqual(samples);
      expect(samplesFor(count + 1, 16)).toBeGreaterThan(samples);
    }
  });

  it('puts the best first and what failed last, in both directions', () => {
    expect([3, null, 5, 4].sort(byScore('higher'))).toEqual([5, 4, 3, null]);
    expect([3, null, 5, 4].sort(byScore('lower'))).toEqual([3, 4, 5, null]);
  });

  it.each([1, 2, 3])('covers %i dimensions evenly', (dimension) => {
    const points = evenPoints(new Float64Array(dimension).fill(0.3), 256);
    for (let axis = 0; axis < dimension; axis++) {
      const sorted = points.map((point) => point[axis] ?? NaN).sort((a, b) => a - b);
      const gaps = sorted.slice(1).map((value, i) => value - (sorted[i] ?? 0));
      expect(Math.max(...gaps)).toBeLessThan(4 / 256);
    }
    // Any box of a sixteenth of the cube holds its share, to a factor of two.
    const inBox = points.filter((point) => point.every((value) => value < (1 / 16) ** (1 / dimension))).length;
    expect(inBox).toBeGreaterThan(8);
    expect(inBox).toBeLessThan(32);
  });

  it('starts at the values that a row has, stays in the ranges, and rounds whole numbers', () => {
    const ranges = [
      { option: 'scale', from: 0.01, to: 10, scale: 'log', whole: false },
      { option: 'inner', from: 1, to: 9, scale: 'linear', whole: true },
    ] as const;
    const [first, ...others] = candidateValues(ranges, { scale: 1, inner: 3 }, [0.2, 0.7], 12);
    expect(first).toEqual({ scale: 1, inner: 3 });
    expect(others).toHaveLength(11);
    for (const { scale = NaN, inner = NaN } of others) {
      expect(scale).toBeGreaterThanOrEqual(0.01);
      expect(scale).toBeLessThanOrEqual(10);
      expect([1, 2, 3, 4, 5, 6, 7, 8, 9]).toContain(inner);
    }
    expect(candidateValues(ranges, { scale: 1 }, [0.2, 0.7], 12)[0]).not.toEqual({ scale: 1, inner: 3 });
  });
});

describe('ranges', () => {
  const range = { option: 'scale', from: 0.1, to: 10, scale: 'log', whole: false } as const;

  it('are widened by half their width in their own scale, as far as the option allows', () => {
    expect(beyond(range, 'above')).toEqual({ ...range, from: 10, to: 100 });
    expect(beyond(range, 'below')).toEqual({ ...range, from: 0.01, to: 0.1 });
    expect(beyond({ ...range, scale: 'linear', from: 0 }, 'above')).toMatchObject({ from: 10, to: 15 });
    expect(beyond({ ...range, most: 20 }, 'above')).toMatchObject({ to: 20 });
    expect(beyond({ ...range, most: 10 }, 'above')).toBeUndefined();
    expect(beyond({ ...range, scale: 'linear', from: 0, least: 0 }, 'below')).toBeUndefined();
  });
});

describe('the default', () => {
  const scored = (...perImage: number[]): Scored =>
    ({ perImage, score: perImage.reduce((sum, value) => sum + value, 0) / perImage.length }) as unknown as Scored;
  const usual = scored(20, 22, 24, 26);
  // 1 dB better in the mean, by 7, -1, -2 and 0 dB: t = 0.49 with 3 degrees of freedom, where 3.18 are needed.
  const lucky = scored(27, 21, 22, 26);
  // 1 dB better each time, give or take 0.1 dB: t = 24.
  const sound = scored(21.1, 22.9, 25.1, 26.9);

  it('stays where the best candidate is better by chance alone', () => {
    expect(choose('higher', [lucky, usual], usual)).toEqual({ chosen: usual, best: lucky, fate: 'kept' });
    expect(choose('higher', [sound, usual], usual)).toEqual({ chosen: sound, best: sound, fate: 'beaten' });
    expect(choose('higher', [scored(19, 20, 21, 22), usual], usual).fate).toBe('best');
    expect(choose('lower', [lucky, usual], lucky)).toEqual({ chosen: lucky, best: usual, fate: 'kept' });
    expect(choose('lower', [sound, usual], sound).fate).toBe('beaten');
    expect(choose('higher', [lucky], undefined)).toEqual({ chosen: lucky, best: lucky });
  });

  it('has the t interval of its paired differences, on the images that both have seen', () => {
    // Differences 1.1, 0.9, 1.1, 0.9: standard error 0.11547 / 2, times 3.1824.
    expect(gainOver(usual, sound)?.difference).toBeCloseTo(1, 12);
    expect(gainOver(usual, sound)?.interval[0]).toBeCloseTo(1 - 0.18374, 4);
    expect(gainOver(usual, scored(21, 24))).toMatchObject({ difference: 1.5, images: 2 });
    expect(gainOver(usual, scored(21))).toBeNull();
  });

  it('goes on to the last round, unless one place is left and the best is resolved from it', () => {
    const [second, third] = [scored(26, 20, 22, 27), scored(25, 20, 22, 27)];
    expect(goOn('higher', [usual, lucky, second, third], usual, 2)).toEqual([lucky, usual]);
    expect(goOn('higher', [usual, lucky], usual, 1)).toEqual([usual]);
    expect(goOn('higher', [usual, sound], usual, 1)).toEqual([sound]);
    expect(goOn('higher', [usual, lucky, second], undefined, 2)).toEqual([lucky, second]);
  });
});

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
  images: { from: 'prior', count: 3 },
  tune: { images: { count: 4 }, budget: 400 },
  operators: ['identity', { id: 'inpaint', label: 'half', options: { rate: 0.5 } }],
  sigmaY: 0.2,
  methods: [{ id: 'dps', label: 'DPS' }, { id: 'dps', label: 'fixed', options: { scale: 0.3 } }, 'exact'],
  scheduler: { id: 'ddpm', options: { steps: 5 } },
  engine: 'eager',
};
const text = `# What the file says stays.
title: Two wells
${JSON.stringify({ ...recipe, title: undefined })
  .slice(1, -1)
  .replaceAll(/,"(images|tune|operators|sigmaY|methods|scheduler|engine)":/g, '\n"$1": ')
  .replace('"model":', '"model": ')}
`;

describe('tune', () => {
  const folder = newFolder();
  const file = join(folder, 'wells.yaml');
  const run = join(folder, 'run');
  let tuned: Tuned;
  beforeAll(async () => {
    writeFileSync(file, text);
    tuned = await tune({ recipe: file, run });
  });

  const cellKeys = async (path: string): Promise<string[]> => {
    const store = await openStore(path);
    try {
      return [...(await store.cells()).keys()].sort();
    } finally {
      store.close();
    }
  };

  it('writes a recipe with a tuned row under each row that has free options', () => {
    expect(tuned.recipe).toBe(join(folder, 'wells.tuned.yaml'));
    const written = readFileSync(tuned.recipe, 'utf8');
    expect(written).toContain('# What the file says stays.');
    const { methods, tune: settings } = parse(written) as ExperimentInput;
    expect(methods.map((method) => (typeof method === 'string' ? method : method.label))).toEqual([
      'DPS',
      'DPS tuned',
      'fixed',
      'exact',
    ]);
    expect(settings?.images).toEqual({ count: 4, offset: 3 });
  });

  it('keeps to the budget, and chooses the best of what has seen every image, or the default where that is not resolved', () => {
    expect(tuned.results.map(({ planned: { operator, sigmaY } }) => [operator.reference.label, sigmaY])).toEqual([
      ['identity', 0.2],
      ['half', 0.2],
    ]);
    for (const { tried, chosen, best, default: usual, spent, count, widened } of tuned.results) {
      expect(spent).toBe(15 * tried.reduce((sum, { perImage }) => sum + perImage.length, 0));
      // Eight at least; where the best ended at an edge, eight more beyond it, for which the budget was not asked.
      expect(count).toBeGreaterThanOrEqual(8);
      if (widened.length === 0) {
        expect(spent).toBeLessThanOrEqual(400);
        expect(tried).toHaveLength(count);
      } else expect(tried.length).toBeGreaterThan(count);
      const finalists = tried.filter(({ perImage }) => perImage.length === 4);
      expect(best.score).toBe(Math.max(...finalists.map(({ score }) => score ?? -Infinity)));
      expect(usual?.candidate.values).toEqual({ scale: 1 });
      expect(chosen).toBe(usual?.fate === 'kept' ? usual.candidate : best);
    }
    expect(tuned.table).toMatch(/DPS, half, sigmaY 0.2 +\d+\.\d\d +\d+ +[\d,]+ .* scale [\d.]+/);
    const { methods } = parse(readFileSync(tuned.recipe, 'utf8')) as ExperimentInput;
    const found = methods
      .flatMap((row) => (typeof row === 'string' ? [] : (row.perProblem ?? [])))
      .map((each) => each.found);
    expect(found.map((each) => each?.default)).toEqual(tuned.results.map((result) => result.default?.fate));
    expect(found.map((each) => each?.tried.toDefault?.length)).toEqual(tuned.results.map(({ tried }) => tried.length));
  });

  it('is repeated by the same command without drawing anything', async () => {
    const [before, written] = [await cellKeys(run), readFileSync(tuned.recipe, 'utf8')];
    const again = await tune({ recipe: file, run });
    expect(await cellKeys(run)).toEqual(before);
    expect(again.table).toBe(tuned.table);
    expect(readFileSync(tuned.recipe, 'utf8')).toBe(written);
  });

  it('written elsewhere, starts relative paths where they started', async () => {
    const { recipe: elsewhere } = await tune({ recipe: file, run, out: join(folder, 'results', 'wells.yaml') });
    expect(parse(readFileSync(elsewhere, 'utf8'))).toMatchObject({ folder: '..' });
    expect(readRecipe(elsewhere).folder).toBe(folder);
    const { recipe: back } = await tune({ recipe: elsewhere, run, out: join(folder, 'back.yaml') });
    expect(parse(readFileSync(back, 'utf8'))).not.toHaveProperty('folder');
  });

  it('goes on where it was stopped, to the same end', async () => {
    const options: TuneOptions = { recipe: file, run: join(folder, 'stopped'), out: join(folder, 'stopped.yaml') };
    const controller = new AbortController();
    let seen = 0;
    await expect(
      tune({
        ...options,
        signal: controller.signal,
        onProgress: ({ phase }) => (phase === 'sampling' && ++seen > 30 ? controller.abort() : undefined),
      }),
    ).rejects.toBeInstanceOf(CancelledError);
    const kept = await cellKeys(join(folder, 'stopped'));
    expect(kept.length).toBeGreaterThan(0);
    const resumed = await tune(options);
    expect(await cellKeys(join(folder, 'stopped'))).toEqual(expect.arrayContaining(kept));
    expect(resumed.table).toBe(tuned.table);
  });

  it('is shown by compare beside the untuned row, with the options of each problem and how they were found', async () => {
    const { json, report } = await compare({ recipe: tuned.recipe, out: join(folder, 'compared') });
    expect(
      json.rows.filter(({ operator, sigmaY }) => operator === 'half' && sigmaY === 0.2).map(({ label }) => label),
    ).toEqual(['DPS', 'DPS tuned', 'fixed', 'exact']);
    const page = readFileSync(report, 'utf8');
    for (const { chosen } of tuned.results) expect(page).toContain(`dps, scale ${chosen.values['scale']}, 5 steps`);
    expect(page).toContain('Sensitivity to tuned options');
  });

  it('replaces its own rows when it is run on what it wrote', async () => {
    const copy = join(folder, 'again.tuned.yaml');
    writeFileSync(copy, readFileSync(tuned.recipe));
    await tune({ recipe: copy, run });
    expect((parse(readFileSync(copy, 'utf8')) as ExperimentInput).methods).toEqual(
      (parse(readFileSync(tuned.recipe, 'utf8')) as ExperimentInput).methods,
    );
  });

  it('refuses a tuned row on a problem that it was not tuned for', async () => {
    const changed = join(folder, 'changed.yaml');
    writeFileSync(changed, readFileSync(tuned.recipe, 'utf8').replace('"sigmaY": 0.2', 'sigmaY: [0.2, 0.7]'));
    await expect(plan({ recipe: changed })).rejects.toThrow(
      'method "DPS tuned" has tuned options, but none for operator "identity" at sigmaY 0.7.',
    );
  });

  const refusal = async (changes: Partial<ExperimentInput>): Promise<string> =>
    tune({ recipe: { ...recipe, ...changes }, out: join(folder, 'never.yaml'), run: join(folder, 'never') }).then(
      () => 'no error',
      (error: Error) => `${error.name}: ${error.message}`,
    );

  it('refuses places that cannot be written before anything is drawn, and names the option', async () => {
    const elsewhere = newFolder();
    const file = join(elsewhere, 'file');
    writeFileSync(file, '');
    for (const out of [elsewhere, join(file, 'tuned.yaml')]) {
      await expect(tune({ recipe, out, run: join(elsewhere, 'run') })).rejects.toThrow(
        /^\[.*\] cannot be written: .*\. Choose another file with --out\.$/,
      );
    }
    expect(existsSync(join(elsewhere, 'run'))).toBe(false);
    await expect(tune({ recipe, out: join(elsewhere, 'new/tuned.yaml'), run: file })).rejects.toThrow(
      /^\[.*file\] cannot be written: .* \(of tweedie tune: --run\)/,
    );
  });

  it('says what is wrong', async () => {
    expect(await refusal({ tune: { images: { count: 8, offset: 2 }, budget: 1500 } })).toBe(
      'ConfigError: [experiment /tune/images] images 2 to 9 are to choose options on, and images 0 to 2 are shown: what is shown must not have been chosen on. Leave offset out, or set it to 3 or more.',
    );
    expect(await refusal({ tune: { images: { count: 8 }, budget: 200 } })).toBe(
      'ConfigError: [experiment /tune/budget] 200 network forwards are too few for "DPS" on identity at sigmaY 0.2: a sample costs 15, and 8 candidates on 8 images need 480. Raise the budget to that, or lower the number of images or steps.',
    );
    expect(await refusal({ tune: { images: { count: 8 }, budget: 1500, metric: 'pnsr' } })).toContain(
      'the experiment has no metric "pnsr", nor is it misfit or a measure of sets of samples.',
    );
    expect(await refusal({ tune: { images: { count: 8 }, budget: 1500, bugdet: 3 } as never })).toContain('bugdet');
    expect(await refusal({ methods: ['exact', { id: 'dps', options: { scale: 1 } }] })).toContain(
      'has nothing to tune',
    );
    const { tune: _, ...without } = recipe;
    await expect(tune({ recipe: without })).rejects.toThrow('does not say how options are to be tuned.');
  });

  it('refuses to choose by what is not known or not asked for', async () => {
    const by = (metric: string, samples?: number) => ({
      tune: { images: { count: 4 }, budget: 40000, metric, ...(samples === undefined ? {} : { samples }) },
    });
    expect(await refusal({ ...by('slicedW1'), methods: ['dps'], sigmaY: { poisson: 1 } })).toMatch(
      /^ConfigError: \[experiment \/tune\/metric\] slicedW1 is a distance to the posterior, which is not known on identity, .*: the noise is Poisson's\. Choose crps, spreadSkill, misfit or a metric\.$/,
    );
    expect(await refusal({ ...by('misfit'), sigmaY: 0 })).toContain(
      'misfit is in units of the noise, and identity has',
    );
    expect(await refusal(by('crps', 1))).toBe(
      'ConfigError: [experiment /tune/samples] crps is a measure of several samples of an image, and 1 is asked for. Leave it out, for 32, or give 2 or more.',
    );
  });

  it('sees that two folders hold the same picture', async () => {
    const pixels = Float32Array.from({ length: 16 }, (_, i) => i / 8 - 1);
    const folders = ['shown', 'others'].map((name) => join(folder, name));
    for (const [i, path] of folders.entries()) {
      mkdirSync(path);
      writeFileSync(join(path, 'a.png'), await encodePng(pixels, [4, 4, 1]));
      writeFileSync(
        join(path, 'b.png'),
        await encodePng(
          pixels.map((value) => (i === 0 ? -value : value / 2)),
          [4, 4, 1],
        ),
      );
    }
    const dataset = (path: string) => ({ id: 'folder', options: { path, height: 4, width: 4, channels: 1 } });
    const [shown = '', others = ''] = folders;
    expect(
      await refusal({
        model: { id: 'gmm', options: { shape: [4, 4, 1], means: [Array.from({ length: 16 }, () => 0)], variances: 1 } },
        images: { dataset: dataset(shown), count: 2 },
        tune: { images: { dataset: dataset(others), count: 2, offset: 0 }, budget: 9000 },
      }),
    ).toContain('that is shown. Choose others: what is shown must not have been chosen on.');
  });
});

describe('what a search chooses by', () => {
  const measured = (metric: string): ExperimentInput => ({
    ...recipe,
    images: { from: 'prior', count: 2 },
    operators: ['identity'],
    methods: [{ id: 'dps', label: 'DPS', options: { form: 'likelihood' } }],
    scheduler: { id: 'ddpm', options: { steps: 20 } },
    engine: 'onnxruntime',
    tune: { images: { count: 4 }, budget: 60_000, metric, samples: 40, seed: 1 },
  });
  const chosenBy = async (metric: string) => {
    const folder = newFolder();
    const { results, table } = await tune({
      recipe: measured(metric),
      out: join(folder, 'tuned.yaml'),
      run: join(folder, 'run'),
    });
    return { result: results[0]!, table, written: readFileSync(join(folder, 'tuned.yaml'), 'utf8') };
  };

  it('is distance to the posterior or misfit where the recipe says so', async () => {
    const [distance, misfit] = [await chosenBy('slicedW1'), await chosenBy('misfit')];
    expect(distance.table).toContain('options chosen by |slicedW1 - 1| on images');
    expect(misfit.table).toContain('options chosen by |misfit - 1| on images');
    for (const { result, written } of [distance, misfit]) {
      // Of all that saw every image the nearest to the goal, on either side of it.
      const finalists = result.tried.filter(({ perImage }) => perImage.length === 4);
      expect(result.best.score).toBe(Math.min(...finalists.map(({ score }) => score!)));
      expect(result.best.score).toBeGreaterThanOrEqual(0);
      const { methods } = parse(written) as ExperimentInput;
      const found = methods.flatMap((row) => (typeof row === 'string' ? [] : (row.perProblem ?? [])))[0]!.found!;
      expect(found.widened ?? {}).toEqual(
        Object.fromEntries(result.widened.map(({ option, from, to }) => [option, [from, to]])),
      );
    }
    // What it found is what compare measures with these options on those images.
    expect(distance.result.best.perImage.every((value) => value !== null)).toBe(true);
  });

  it('goes beyond the range that the best is at the edge of, and says so', async () => {
    const folder = newFolder();
    const { results, table } = await tune({
      recipe: {
        ...recipe,
        operators: ['identity'],
        // Images and their noise so large that the least scale of the range is the best.
        model: {
          id: 'gmm',
          options: {
            shape: [1, 2, 1],
            means: [
              [-400, 0],
              [400, 0],
            ],
            variances: 5000,
          },
        },
        sigmaY: 20,
        methods: [{ id: 'dps', label: 'DPS', options: { form: 'likelihood' } }],
        tune: { images: { count: 4 }, budget: 400 },
      },
      out: join(folder, 'tuned.yaml'),
      run: join(folder, 'run'),
    });
    const { widened, ranges, tried, count } = results[0]!;
    const [{ option, from, to }] = widened as [(typeof widened)[0]];
    expect(table).toContain(`${option} ended at the edge of its range, which is now ${from} to ${to}`);
    expect(ranges.find((range) => range.option === option)).toMatchObject({ from, to });
    expect([option, from, to]).toEqual(['scale', 0.000316, 10]);
    expect(tried.filter(({ values }) => (values['scale'] ?? 1) < 0.01)).toHaveLength(tried.length - count);
    expect(tried.length - count).toBeGreaterThan(4);
  });
});

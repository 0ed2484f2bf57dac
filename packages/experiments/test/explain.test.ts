import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  bindGuidance,
  combinedLevel,
  disposeTree,
  makeProblem,
  mixtureMoments,
  posteriorMixture,
  posteriorScore,
  sampleBatch,
  stackProblems,
  tf,
  traced,
  type Image,
} from '@tweedie/core';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { dataTermOf } from '../src/explain/exact.ts';
import { createInstruments } from '../src/explain/instruments.ts';
import { createProbe, type Reading } from '../src/explain/probe.ts';
import { posteriorTrace, sampleTrace } from '../src/explain/spread.ts';
import { observed } from '../src/explain/state.ts';
import { meanShare, measure } from '../src/explain/vectors.ts';
import { explain, type ExperimentInput, type MethodInput, type Explanation, type ExplainedRow } from '../src/index.ts';
import { planRows } from '../src/plan/rows.ts';
import { openWorkbench } from '../src/plan/workbench.ts';

const q = 0.6;
const sigmaY = 0.3;
const recipe: ExperimentInput = {
  title: 'Looking in',
  model: {
    id: 'gmm',
    options: {
      shape: [2, 3, 1],
      means: [
        [-1, 0, 1, 0.5, 0, 0.2],
        [1, 0, -0.4, 0, 0.3, 0],
      ],
      variances: [0.1, 0.2],
    },
  },
  images: { from: 'prior', count: 2 },
  operators: ['identity', { id: 'inpaint', options: { rate: 0.5 } }],
  sigmaY,
  methods: ['none', { id: 'dps', options: { scale: 0.4 } }, 'dps-w', 'exact'],
  scheduler: { id: 'ddpm', options: { steps: 20 } },
  engine: 'eager',
};
const out = () => mkdtempSync(join(tmpdir(), 'tweedie-explain-'));
const finite = (series: readonly (number | null)[] | undefined): number[] =>
  (series ?? []).filter((value) => value !== null);

describe('explain', () => {
  let explanation: Explanation;
  const row = (operator: string, label: string): ExplainedRow =>
    explanation.json.rows.find((each) => each.operator === operator && each.label === label)!;
  beforeAll(async () => {
    explanation = await explain({ recipe, out: out(), overrides: { samples: 6 } });
  });

  it.each(['identity', 'inpaint'])('%s: the guidance of `exact` is the exact likelihood score', (operator) => {
    const { measures, reading, absent } = row(operator, 'exact');
    expect(reading).toEqual({ from: 'step' });
    expect(absent).toEqual({});
    expect(finite(measures.relativeError)).toHaveLength(20);
    for (const error of finite(measures.relativeError)) expect(error).toBeLessThan(2e-3);
    for (const cosine of finite(measures.cosine)) expect(cosine).toBeCloseTo(1, 5);
    for (const cosine of finite(measures.cosineConditional)) expect(cosine).toBeCloseTo(1, 6);
  });

  it.each(['identity', 'inpaint'])('%s: `none` guides nowhere', (operator) => {
    const { measures } = row(operator, 'none');
    expect(finite(measures.guidanceNorm)).toEqual(new Array<number>(20).fill(0));
    expect(finite(measures.relativeError)).toEqual(new Array<number>(20).fill(1));
    expect(measures.cosine).toBeUndefined();
    for (const cosine of finite(measures.cosineUnconditional)) expect(cosine).toBeCloseTo(1, 10);
    expect(Math.min(...finite(measures.cosineConditional))).toBeLessThan(0.99);
  });

  it('another method is neither', () => {
    const { measures } = row('identity', 'dps');
    expect(Math.max(...finite(measures.relativeError))).toBeGreaterThan(0.5);
    expect(Math.min(...finite(measures.guidanceNorm))).toBeGreaterThan(0);
  });

  it('the mean of the guided score, and diversity beside that of the posterior', () => {
    expect(finite(row('identity', 'exact').measures.meanScore).every((share) => share > 0 && share < 1)).toBe(true);
    const [none, exact] = ['none', 'exact'].map((label) => row('identity', label).diversity!.ratio) as [number, number];
    expect(none).toBeGreaterThan(2 * exact);
    expect(exact).toBeGreaterThan(0.3);
    expect(exact).toBeLessThan(2);
  });

  it('what a method returns is shown as it is', () => {
    expect(Object.keys(row('identity', 'dps-w').scalars)).toEqual([
      'weight',
      'updateWeight',
      'residualNorm',
      'gradientNorm',
    ]);
    expect(row('identity', 'none').scalars).toEqual({});
  });

  it('ends in a table and in a page with its figures', () => {
    expect(explanation.table).toContain('Looking in: 2 images, 6 samples each');
    expect(explanation.table).toMatch(/ {2}exact\n\n {4}sigma +\|prior\| +\|guidance\| +\|exact\| +cos +rel\. error/);
    expect(existsSync(explanation.report)).toBe(true);
    const page = readFileSync(explanation.report, 'utf8');
    // Per operator five figures of all methods; per method two of norms and terms, two of weights, and its own scalars.
    expect(page.match(/<figure>/g)).toHaveLength(2 * (5 + 4 * 4 + 2 + 4));
    expect(page).not.toContain('<script');
  });
});

it('Poisson noise has no exact score and no diversity, and it is said', async () => {
  const {
    json: {
      rows: [dps],
      skipped,
    },
    table,
  } = await explain({
    out: out(),
    recipe: {
      ...recipe,
      sigmaY: { poisson: 1 },
      operators: ['identity'],
      methods: ['dps', 'exact'],
      images: { from: 'prior', count: 1 },
      impossible: 'skip',
    },
    overrides: { samples: 2 },
  });
  expect(dps).toMatchObject({
    diversity: null,
    absent: {
      'exact score': "it needs noise.gaussian; the noise is Poisson's",
      diversity: 'the posterior of Poisson noise has no closed form',
    },
  });
  expect(dps?.measures.guidanceNorm).toBeDefined();
  expect(dps?.measures.cosine).toBeUndefined();
  expect(skipped).toMatchObject([{ label: 'exact', reason: "it needs noise.gaussian; the noise is Poisson's" }]);
  expect(table).toContain("no exact score: it needs noise.gaussian; the noise is Poisson's");
});

it('an image of one entry', async () => {
  const model = { id: 'gmm', options: { shape: [1, 1, 1], smooth: { length: 2 } } };
  const {
    json: {
      rows: [exact],
    },
  } = await explain({
    out: out(),
    recipe: { ...recipe, model, operators: ['identity'], methods: ['exact'], images: { from: 'prior', count: 1 } },
    overrides: { samples: 2, steps: 5 },
  });
  for (const error of finite(exact?.measures.relativeError)) expect(error).toBeLessThan(1e-3);
  expect(exact?.diversity).not.toBeNull();
});

it('weights: DPS-w at A = I fits 1 / (2 (v + sigmaY^2)) of a Gaussian prior, and uses it; DPS uses scale / (2 ||r||)', async () => {
  const {
    json: { rows },
  } = await explain({
    out: out(),
    recipe: {
      ...recipe,
      model: { id: 'gmm', options: { shape: [2, 3, 1], means: [[0, 0, 0, 0, 0, 0]], variances: q * q } },
      operators: ['identity'],
      images: { from: 'prior', count: 1 },
      methods: [{ id: 'dps', options: { scale: 0.4 } }, 'dps-w'],
    },
    overrides: { samples: 1 },
  });
  const [dps, dpsW] = rows as [ExplainedRow, ExplainedRow];
  dpsW.sigma.forEach((sigma, i) => {
    const v = (q * q * sigma ** 2) / (q * q + sigma ** 2);
    const expected = 1 / (2 * (v + sigmaY ** 2));
    const digits = sigma > 3 ? 1e-2 : 1e-3;
    for (const series of [
      dpsW.measures.fittedWeight,
      dpsW.measures.effectiveWeight,
      dpsW.scalars['weight'],
      dps.measures.fittedWeight,
    ]) {
      expect(Math.abs(series![i]! / expected - 1), `sigma ${sigma}`).toBeLessThan(digits);
    }
    expect(Math.abs(dpsW.measures.effectiveUpdate![i]! / dpsW.scalars['updateWeight']![i]! - 1)).toBeLessThan(digits);
    expect(Math.abs((dps.measures.effectiveUpdate![i]! * 2 * dps.scalars['residualNorm']![i]!) / 0.4 - 1)).toBeLessThan(
      digits,
    );
    expect(dpsW.measures.fittedUpdate![i]!).toBeCloseTo(dpsW.measures.fittedWeight![i]! * dpsW.scoreWeight[i]!, 10);
  });
});

it('a place that cannot be written is refused before anything is drawn', async () => {
  const file = join(out(), 'file');
  writeFileSync(file, '');
  const onProgress = vi.fn();
  for (const place of [file, join(file, 'folder')]) {
    await expect(explain({ recipe, out: place, onProgress })).rejects.toThrow(
      /^\[.*report\.html\] cannot be written: E\w+: .*\. Choose another folder with --out\.$/,
    );
  }
  expect(onProgress).not.toHaveBeenCalled();
});

describe('what does not apply is said', () => {
  /** The reading of the last step of a method, changed in some way. */
  async function readingOf(
    change: (bound: Awaited<ReturnType<typeof bindGuidance>>) => object,
    method: MethodInput = 'none',
  ): Promise<{ reading: Reading; rows: number }> {
    const bench = await openWorkbench({ recipe: { ...recipe, methods: [method] } });
    const engine = await bench.container.plugin('engine', { id: 'eager' });
    await bench.model.load?.();
    const [row] = planRows(bench);
    const instruments = await createInstruments(bench, row!, engine);
    const plain = await bindGuidance(row!.method.guidance, {
      engine,
      model: bench.model,
      operator: row!.operator.operator,
      scheduler: row!.method.scheduler,
    });
    const bound = { ...plain, ...change(plain) };
    const look = createProbe(instruments, row!, [2, 3, 1]);
    const problem = makeProblem({
      name: 'p',
      x0: new Float32Array(6),
      imageShape: [2, 3, 1],
      operator: row!.operator.operator,
      operatorKey: 'p',
      sigmaY,
      seed: 0,
    });
    const batch = stackProblems([problem]);
    let last: { reading: Reading; rows: number } | undefined;
    const watched = observed(bound, [2, 3, 1], async (seen) => {
      const { reading, rows } = await look(seen, undefined);
      last = { reading, rows: rows.length };
    });
    const { x } = await sampleBatch({
      bound: watched,
      imageShape: [2, 3, 1],
      problem: batch,
      keys: [{ seed: 0, problem: 'p', sample: 0 }],
    });
    disposeTree([x, batch.y]);
    instruments.dispose();
    bench.dispose();
    return last!;
  }

  it('a grid of its own: guidance is what x0hat says', async () => {
    const { reading, rows } = await readingOf(() => ({}), { id: 'daps', options: { levels: 2, mcmcSteps: 2 } });
    expect(reading).toEqual({ from: 'x0hat', because: 'it moves on a grid of its own' });
    expect(rows).toBe(1);
  });

  it('noise of another purpose', async () => {
    const { reading } = await readingOf(({ sampler }) => ({
      sampler: {
        ...sampler,
        step: (
          state: never,
          step: never,
          problem: never,
          random: { normal: (purpose: string, shape: number[]) => Image },
        ) =>
          sampler.step(state, step, problem, {
            normal: (_, shape) => random.normal('other', [...shape]),
            uniform: () => tf.zeros([1]),
          }),
      },
    }));
    expect(reading).toEqual({
      from: 'x0hat',
      because: 'it does not draw the noise of its step once, for the purpose "step"',
    });
  });

  it('a state without a noisy image', async () => {
    const { reading, rows } = await readingOf(({ sampler }) => ({
      sampler: {
        start: async () => ({ mu: tf.zeros([1, 2, 3, 1]) }),
        step: async ({ mu }: { mu: Image }, step: never, problem: never, random: never) => ({
          state: { mu: (await sampler.step(mu, step, problem, random)).state },
        }),
        result: ({ mu }: { mu: Image }) => mu,
      },
    }));
    expect(reading).toEqual({ from: 'nothing', because: 'its state is not a noisy image and has no member xt' });
    expect(rows).toBe(0);
  });

  it('an exact score that is not known', async () => {
    const opened = await openWorkbench({
      recipe: { ...recipe, operators: [{ id: 'inpaint', options: { rate: 0.5 } }] },
    });
    const { mixture: _, ...model } = opened.model;
    const bench = { ...opened, model };
    const instruments = await createInstruments(
      bench,
      planRows(bench)[0]!,
      await bench.container.plugin('engine', { id: 'eager' }),
    );
    expect(instruments.exact).toMatch(/no closed form/);
    expect(instruments.absent['exact score']).toBe(instruments.exact);
    const { operator } = bench.operators[0]!;
    const problem = makeProblem({
      name: 'p',
      x0: new Float32Array(6),
      imageShape: [2, 3, 1],
      operator,
      operatorKey: 'p',
      sigmaY,
      seed: 0,
    });
    expect(posteriorTrace(model, operator, problem)).toBe('the prior has no closed form');
    instruments.dispose();
    opened.dispose();
  });
});

describe('the pieces', () => {
  it('trace of the posterior: spectral form, dense matrices and the moments in closed form agree', async () => {
    const bench = await openWorkbench({ recipe });
    await bench.model.load?.();
    for (const { operator } of bench.operators) {
      const { svd: _, ...plain } = operator;
      const problem = makeProblem({
        name: 'p',
        x0: Float32Array.of(0.2, 0.1, -0.3, 0, 0.4, 0),
        imageShape: [2, 3, 1],
        operator,
        operatorKey: 'p',
        sigmaY,
        seed: 0,
      });
      const mask =
        operator.identity === true
          ? [1, 1, 1, 1, 1, 1]
          : Array.from((problem.drawn as { mask: tf.Tensor }).mask.dataSync());
      const a = Float64Array.from({ length: 36 }, (_, i) => (i % 7 === 0 ? mask[i % 6]! : 0));
      const { covariance } = mixtureMoments(
        posteriorMixture(bench.model.mixture!(), a, Float64Array.from(problem.y.dataSync()), sigmaY),
      );
      const truth = [0, 1, 2, 3, 4, 5].reduce((sum, i) => sum + covariance[i * 7]!, 0);
      expect(posteriorTrace(bench.model, operator, problem)).toBeCloseTo(truth, 6);
      expect(posteriorTrace(bench.model, plain, problem)).toBeCloseTo(truth, 6);
    }
    bench.dispose();
  });

  it('the term of Equation 8 that knows y, with a denoiser that says nothing', async () => {
    const bench = await openWorkbench({ recipe });
    const { operator } = bench.operators[0]!;
    const { process } = bench.model;
    const [xt, y] = [
      [0.3, -1, 2, 0, 0.5, 1],
      [1, 0, 0.5, -0.5, 0.2, 0],
    ].map((values) => tf.tensor4d(values, [1, 2, 3, 1])) as [Image, Image];
    for (const level of [process.levelAt(0.1), process.levelAt(20)]) {
      const combined = combinedLevel(process, level, sigmaY);
      const expected = posteriorScore(xt, y, tf.zerosLike(xt), traced(level), traced(combined), tf.scalar(sigmaY))
        .div(level.signal)
        .dataSync();
      const got = dataTermOf(operator, [2, 3, 1])!(xt, traced(level), {
        y,
        sigmaY: tf.scalar(sigmaY),
        drawn: {},
      }).dataSync();
      got.forEach((value, i) => expect(Math.abs(value / expected[i]! - 1)).toBeLessThan(1e-5));
    }
    bench.dispose();
  });

  it('measures of vectors', () => {
    const vectors = {
      prior: Float64Array.of(1, 0),
      guidance: Float64Array.of(0, 2),
      likelihood: Float64Array.of(0, 1),
      data: Float64Array.of(1, 1),
      direction: Float64Array.of(0, 4),
    };
    expect(measure(vectors, 3)).toEqual({
      priorNorm: 1,
      guidanceNorm: 2,
      likelihoodNorm: 1,
      cosine: 1,
      relativeError: 1,
      priorTermNorm: 0,
      dataTermNorm: Math.SQRT2,
      fittedWeight: 0.25,
      effectiveWeight: 0.5,
      fittedUpdate: 0.75,
      effectiveUpdate: 1.5,
      cosineConditional: expect.closeTo(3 / Math.sqrt(10), 12),
      cosineUnconditional: expect.closeTo(1 / Math.sqrt(5), 12),
    });
    expect(
      measure({ prior: Float64Array.of(1, 0), guidance: Float64Array.of(0, 0), likelihood: Float64Array.of(0, 1) }, 1),
    ).not.toHaveProperty('cosine');
    expect(meanShare([Float64Array.of(1, 0), Float64Array.of(-1, 0)])).toBe(0);
    expect(meanShare([Float64Array.of(1, 1), Float64Array.of(1, 1)])).toBeCloseTo(1, 12);
    expect(meanShare([Float64Array.of(1, 1)])).toBeUndefined();
    expect(sampleTrace([Float64Array.of(0, 0), Float64Array.of(2, 4)])).toBe(10);
  });
});

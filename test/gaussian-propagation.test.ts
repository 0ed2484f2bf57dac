/**
 * Methods that are affine in the state, on a Gaussian prior: the law of their samples is Gaussian, and is carried from
 * step to step here in float64, by formulas of docs/methods.md alone. Samples have that law, and docs/methods.md 11.4
 * has its distance to the posterior, which no number of samples blurs.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { decodeSafetensors, keyedRandom, makeProblem, symmetricEigen, type Problem } from '@tweedie/core';
import { bind, sampleRows, testContainer } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const priorFile = `${root}recipes/priors/gaussian.safetensors`;
const operatorFile = `${root}recipes/priors/gaussian-operator.safetensors`;
const numbers = (file: string, name: string): Float64Array => {
  const found = decodeSafetensors(readFileSync(file)).get(name);
  if (found === undefined) throw new Error(`${file} has no tensor ${name}`);
  return Float64Array.from(found.data, Number);
};

// ----------------------------------------------------------------------------------------------- matrices [d, d]

type Matrix = readonly Float64Array[];
type Vector = Float64Array;
const matrix = (rows: number, columns: number, entry: (i: number, j: number) => number): Matrix =>
  Array.from({ length: rows }, (_, i) => Float64Array.from({ length: columns }, (_, j) => entry(i, j)));
const identity = (n: number, scale = 1): Matrix => matrix(n, n, (i, j) => (i === j ? scale : 0));
const transpose = (a: Matrix): Matrix => matrix(a[0]!.length, a.length, (i, j) => a[j]![i]!);
const times = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => {
    const out = new Float64Array(b[0]!.length);
    for (let k = 0; k < row.length; k++) {
      const [value, other] = [row[k]!, b[k]!];
      for (let j = 0; j < out.length; j++) out[j]! += value * other[j]!;
    }
    return out;
  });
const apply = (a: Matrix, v: Vector): Vector =>
  Float64Array.from(a, (row) => row.reduce((sum, value, i) => sum + value * v[i]!, 0));
const plus = (a: Matrix, b: Matrix, scale = 1): Matrix => a.map((row, i) => row.map((v, j) => v + scale * b[i]![j]!));
const add = (a: Vector, b: Vector, scale = 1): Vector => a.map((value, i) => value + scale * b[i]!);
const scaled = (a: Matrix, scale: number): Matrix => a.map((row) => row.map((value) => scale * value));
const eigen = (a: Matrix) => {
  const { values, vectors } = symmetricEigen(Float64Array.from(a.flatMap((row) => [...row])), a.length);
  return { values, vectors: matrix(a.length, a.length, (i, j) => vectors[i * a.length + j]!) };
};
/** f of a symmetric matrix, by its eigenvalues. */
const functionOf = (a: Matrix): ((f: (value: number) => number) => Matrix) => {
  const { values, vectors } = eigen(a);
  const turned = transpose(vectors);
  return (f) => {
    const weights = values.map(f);
    return times(
      vectors.map((row) => row.map((value, j) => value * weights[j]!)),
      turned,
    );
  };
};
const root2 = (a: Matrix): Matrix => functionOf(a)((value) => Math.sqrt(Math.max(0, value)));
const trace = (a: Matrix): number => a.reduce((sum, row, i) => sum + row[i]!, 0);

// ----------------------------------------------------------------------------------- affine maps of Gaussian states

type Law = { readonly mean: Vector; readonly covariance: Matrix };
/** x -> gain x + offset, plus noise of this covariance. */
type Map = { readonly gain: Matrix; readonly offset: Vector; readonly noise?: Matrix };
const through = ({ mean, covariance }: Law, { gain, offset, noise }: Map): Law => {
  const moved = times(times(gain, covariance), transpose(gain));
  return { mean: add(apply(gain, mean), offset), covariance: noise ? plus(moved, noise) : moved };
};
/** First `a`, then `b`; neither has noise. */
const after = (b: Map, a: Map): Map => ({
  gain: times(b.gain, a.gain),
  offset: add(apply(b.gain, a.offset), b.offset),
});
/** a + scale b, as maps of one state. */
const blend = (a: Map, b: Map, scale: number, own = 1): Map => ({
  gain: plus(scaled(a.gain, own), b.gain, scale),
  offset: add(
    a.offset.map((value) => own * value),
    b.offset,
    scale,
  ),
});

// ------------------------------------------------------------------------------------------------------- the problem

const d = 100;
const m = 50;
const sigmaY = 0.1;
const triangle = numbers(priorFile, 'triangles');
const C = matrix(d, d, (i, j) => triangle[(Math.max(i, j) * (Math.max(i, j) + 1)) / 2 + Math.min(i, j)]!);
const mu = numbers(priorFile, 'means');
const flatA = numbers(operatorFile, 'matrix');
const A = matrix(m, d, (i, j) => flatA[i * d + j]!);
const At = transpose(A);
const ofC = functionOf(C);
const inverseC = ofC((value) => 1 / value);
const precision = plus(inverseC, times(At, A), 1 / sigmaY ** 2);
const ofPrecision = functionOf(precision);
const ofSeen = functionOf(times(At, A));
const same: Map = { gain: identity(d), offset: new Float64Array(d) };

/** h = C^-1 mu + A^T y / sigmaY^2: the posterior is N(precision^-1 h, precision^-1). */
const posteriorOf = (y: Vector): Law & { readonly h: Vector } => {
  const covariance = ofPrecision((value) => 1 / value);
  const h = add(apply(inverseC, mu), apply(At, y), 1 / sigmaY ** 2);
  return { mean: apply(covariance, h), covariance, h };
};
/** E[x0 | z] at noise s, and E[x0 | z, y]. */
const denoiser = (s: number): Map => {
  const gain = ofC((value) => value / (value + s * s));
  return { gain, offset: add(mu, apply(gain, mu), -1) };
};
const conditional =
  (h: Vector) =>
  (s: number): Map => {
    const gain = ofPrecision((value) => 1 / (1 + value * s * s));
    return { gain, offset: apply(gain, h).map((value) => s * s * value) };
  };

/** The kept levels of the linear table (1.1, 1.2), from the most noise to the least. */
const alphaBars = (steps: number): readonly number[] => {
  let product = 1;
  const table = Array.from({ length: 1000 }, (_, t) => (product *= 1 - (1e-4 + ((0.02 - 1e-4) * t) / 999)));
  return Array.from({ length: steps }, (_, i) => table[Math.round((i * 999) / (steps - 1))]!).reverse();
};
const polynomial = (from: number, to: number, count: number): readonly number[] =>
  Array.from(
    { length: count },
    (_, i) => (from ** (1 / 7) + (i / (count - 1)) * (to ** (1 / 7) - from ** (1 / 7))) ** 7,
  );
const start: Law = { mean: new Float64Array(d), covariance: identity(d) };

/** Ancestral sampling (2.4): `guided` is what stands for E[x0 | z], `extra` what is added to the mean of a step. */
const ancestral = (steps: number, guided: (s: number) => Map, extra?: (x0hat: Map, signal: number) => Map): Law => {
  const levels = alphaBars(steps);
  return levels.reduce((law, bar, i) => {
    const next = levels[i + 1] ?? 1;
    const [alpha, signal] = [bar / next, Math.sqrt(bar)];
    const x0hat = guided(Math.sqrt((1 - bar) / bar));
    const ofState: Map = { gain: scaled(x0hat.gain, 1 / signal), offset: x0hat.offset };
    const mean = blend(
      same,
      ofState,
      (Math.sqrt(next) * (1 - alpha)) / (1 - bar),
      (Math.sqrt(alpha) * (1 - next)) / (1 - bar),
    );
    const moved = extra ? blend(mean, extra(ofState, signal), 1) : mean;
    return through(law, { ...moved, noise: identity(d, ((1 - alpha) * (1 - next)) / (1 - bar)) });
  }, start);
};

/** The probability flow by Heun's method (arXiv:2206.00364, Algorithm 1) through these levels and to 0. */
const heun = (sigmas: readonly number[], guided: (s: number) => Map): Law => {
  const direction = (s: number): Map => blend(same, guided(s), -1 / s, 1 / s);
  const first = sigmas[0]!;
  return sigmas.reduce(
    (law, s, i) => {
      const next = sigmas[i + 1] ?? 0;
      const slope = direction(s);
      const euler = blend(same, slope, next - s);
      if (next === 0) return through(law, euler);
      return through(law, blend(blend(same, slope, (next - s) / 2), after(direction(next), euler), (next - s) / 2));
    },
    { mean: start.mean, covariance: identity(d, 1 + first * first) },
  );
};

/** DAPS, `legacy` with Langevin steps (4.8): its flow, its chain and its fresh noise, on means and covariances. */
const daps = (y: Vector, { levels, lr, lrMinRatio, mcmcSteps, odeSteps }: Record<string, number>): Law => {
  const sigmas = polynomial(100, 0.1, levels!);
  return sigmas.reduce<Law>((law, sigma, k) => {
    const signal = 1 / Math.sqrt(1 + sigma * sigma);
    const path = [...polynomial(sigma, 0.01, odeSteps!), 0];
    let flow: Map = { gain: identity(d, 1 / signal), offset: new Float64Array(d) };
    path.slice(0, -1).forEach((s, i) => {
      const x0hat = denoiser(s);
      flow = after(blend(same, x0hat, 1 - path[i + 1]! / s, path[i + 1]! / s), flow);
    });
    // x <- (1 - eta H) x + eta (A^T y / tau^2 + x0hat / sigma^2) + sqrt(2 eta) noise, from x0hat.
    const eta = lr! * (1 + (k / levels!) * (lrMinRatio! - 1));
    const n = mcmcSteps!;
    const move = (seen: number): number => 1 - eta * (seen / sigmaY ** 2 + 1 / sigma ** 2);
    /** Sum of ratio^i for i below n. */
    const series = (ratio: number): number =>
      Array.from({ length: n }, (_, i) => ratio ** i).reduce((a, b) => a + b, 0);
    const gain = ofSeen((seen) => move(seen) ** n);
    const sum = ofSeen((seen) => series(move(seen)));
    const noise = ofSeen((seen) => 2 * eta * series(move(seen) ** 2));
    const chain: Map = {
      gain: plus(gain, sum, eta / sigma ** 2),
      offset: apply(sum, apply(At, y)).map((value) => (eta / sigmaY ** 2) * value),
      noise,
    };
    const clean = through(through(law, flow), chain);
    const next = sigmas[k + 1] ?? 0;
    const out = 1 / Math.sqrt(1 + next * next);
    return through(clean, {
      gain: identity(d, out),
      offset: new Float64Array(d),
      noise: identity(d, (next * out) ** 2),
    });
  }, start);
};

const squaredScale = 0.002;
const dapsOptions = { levels: 40, lr: 3e-5 };
type Row = {
  readonly method: string;
  readonly guidance: { readonly id: string; readonly options?: Readonly<Record<string, unknown>> };
  readonly scheduler: { readonly id: string; readonly options: Readonly<Record<string, unknown>> };
  readonly law: (y: Vector) => Law;
};
const ddpm = (steps: number): Row['scheduler'] => ({ id: 'ddpm', options: { steps } });
const edm = { id: 'edm', options: { steps: 100, sigmaMin: 0.0005, sigmaMax: 80 } };
const rows: readonly Row[] = [
  { method: 'none, ddpm 300', guidance: { id: 'none' }, scheduler: ddpm(300), law: () => ancestral(300, denoiser) },
  ...[100, 300].map((steps): Row => ({
    method: `exact, ddpm ${steps}`,
    guidance: { id: 'exact' },
    scheduler: ddpm(steps),
    law: (y) => ancestral(steps, conditional(posteriorOf(y).h)),
  })),
  {
    method: 'exact, edm 100',
    guidance: { id: 'exact' },
    scheduler: edm,
    law: (y) => heun(polynomial(80, 0.0005, 100), conditional(posteriorOf(y).h)),
  },
  {
    method: `DPS squared, scale ${squaredScale}, ddpm 300`,
    guidance: { id: 'dps', options: { form: 'squared', scale: squaredScale } },
    scheduler: ddpm(300),
    // -scale grad || y - A x0hat ||^2 = 2 scale J^T A^T (y - A x0hat), J the derivative of x0hat by the state
    law: (y) =>
      ancestral(300, denoiser, ({ gain, offset }) => {
        const pull = scaled(times(transpose(gain), At), 2 * squaredScale);
        return { gain: scaled(times(pull, times(A, gain)), -1), offset: apply(pull, add(y, apply(A, offset), -1)) };
      }),
  },
  {
    method: 'DAPS, 40 levels, lr 3e-5',
    guidance: { id: 'daps', options: dapsOptions },
    scheduler: ddpm(300),
    law: (y) => daps(y, { ...dapsOptions, lrMinRatio: 0.01, mcmcSteps: 100, odeSteps: 5 }),
  },
];

/** The 2-Wasserstein distance of two Gaussians. */
const wasserstein = (a: Law, b: Law): number => {
  const half = root2(b.covariance);
  const cross = trace(root2(times(times(half, a.covariance), half)));
  const means = a.mean.reduce((sum, value, i) => sum + (value - b.mean[i]!) ** 2, 0);
  return Math.sqrt(Math.max(0, means + trace(a.covariance) + trace(b.covariance) - 2 * cross));
};

const context = testContainer();
const engine = await context.plugin('engine', { id: 'onnxruntime' });
const imageShape = [1, d, 1] as const;
const model = await context.plugin('model', { id: 'gmm', options: { shape: [...imageShape], file: priorFile } });
await model.load?.();
const operator = await context.plugin('operator', { id: 'matrix', options: { file: operatorFile } }, { imageShape });
const spread = eigen(C);
const factor = spread.vectors.map((row) => row.map((value, j) => value * Math.sqrt(spread.values[j]!)));
const x0 = Float32Array.from(add(apply(factor, Float64Array.from(keyedRandom('a draw').normal('x0', d))), mu));
const problem = makeProblem({ name: 'a draw', x0, imageShape, operator, operatorKey: 'test', sigmaY, seed: 0 });
const y = Float64Array.from(problem.y.dataSync());
const samples = 500;
const told = readFileSync(`${root}docs/methods.md`, 'utf8')
  .split('### 11.4')[1]!
  .split('\n')
  .filter((line) => line.startsWith('| '));

describe.each(rows.map((row) => [row.method, row] as const))('%s', (method, row) => {
  let known: Law | undefined;
  const lawOf = (): Law => (known ??= row.law(y));

  it('has samples of the law in closed form', async () => {
    const law = lawOf();
    const run = await bind(await context.plugin('guidance', row.guidance), {
      engine,
      model,
      operator,
      scheduler: await context.plugin('scheduler', row.scheduler),
    });
    const { rows: drawn } = await sampleRows(
      run,
      new Array<Problem>(samples).fill(problem),
      Array.from({ length: samples }, (_, i) => i),
    );
    run.bound.dispose();
    // Along the axes of the law, the narrow ones too, in units of its standard deviations.
    const { values, vectors } = eigen(law.covariance);
    const axes = transpose(vectors);
    const along = drawn.map((x) =>
      apply(axes, add(Float64Array.from(x), law.mean, -1)).map((value, i) => value / Math.sqrt(values[i]!)),
    );
    const moment = (of: (x: Vector) => number): number => along.reduce((sum, x) => sum + of(x), 0) / samples;
    const scores = values.reduce<number[]>((all, _, i) => {
      all.push(Math.abs(moment((x) => x[i]!)) * Math.sqrt(samples));
      for (let j = 0; j <= i; j++) {
        const expected = i === j ? 1 : 0;
        all.push(Math.abs(moment((x) => x[i]! * x[j]!) - expected) * Math.sqrt(samples / (1 + expected)));
      }
      return all;
    }, []);
    // 5150 standard normal numbers: the largest is above 5.2 once in a thousand.
    expect(Math.max(...scores)).toBeLessThan(5.2);
    expect(scores.reduce((sum, score) => sum + score ** 2, 0) / scores.length).toBeLessThan(1.15);
  });

  it('has the distance to the posterior that docs/methods.md 11.4 tells', () => {
    const [law, posterior] = [lawOf(), posteriorOf(y)];
    const ratio = trace(law.covariance) / trace(posterior.covariance);
    const line = `| ${method} | ${wasserstein(law, posterior).toPrecision(3)} | ${ratio.toPrecision(3)} |`;
    expect(told).toContain(line);
  });
});

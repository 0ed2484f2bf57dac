/**
 * Problems of the 25-component mixture whose posterior is known, docs/methods.md 11.1: the closed form, and how far
 * samplers end from it.
 */
import {
  drawFromMixture,
  type GaussianMixture,
  type Image,
  keyedRandom,
  mixtureModel,
  mixtureMoments,
  type Operator,
  posteriorMixture,
  type Problem,
  type SafetensorsEntry,
  tf,
  vpProcess,
} from '@tweedie/core';
import { bind, relativeDifference, sampleRows, testContainer } from '@tweedie/testing';
import { fixtureReport } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';

type Floor = { readonly mean: number; readonly sd: number; readonly q95: number };
type Floors = { readonly slicedW1: Floor; readonly modeWeightTotalVariation: Floor };
type ProblemFacts = {
  readonly d: number;
  readonly dy: number;
  readonly sigma: number;
  readonly effectiveComponents?: number;
  readonly floor?: { readonly sampler1000?: Floors };
  readonly metricCheck?: { readonly slicedW1: number };
};
type Fixture = {
  readonly tensors: string;
  readonly problems: Readonly<Record<string, ProblemFacts>>;
  readonly reproductions?: {
    readonly columns: readonly string[];
    readonly rows: readonly { readonly method: string; readonly values: readonly string[] }[];
  };
};

const report = fixtureReport('methods', 'gmm25');
const {
  problems,
  reproductions,
  tensors: file,
} = report.index<Fixture>('posterior-gmm25.json', { problems: {}, tensors: '' });
const tensors = report.tensors(file);
const entry = (name: string): SafetensorsEntry => {
  const found = tensors.get(name);
  if (found === undefined) throw new Error(`${file} has no tensor ${name}`);
  return found;
};
const values = (name: string) => Float64Array.from(entry(name).data, Number);
const rowsOf = (name: string): Float64Array[] => {
  const {
    shape: [count = 0, each = 0],
  } = entry(name);
  const all = values(name);
  return Array.from({ length: count }, (_, row) => all.slice(row * each, (row + 1) * each));
};

const has = (...names: readonly string[]) => names.every((name) => tensors.has(name));
const count = has('prior/weights') ? values('prior/weights').length : 0;
const prior: GaussianMixture = {
  weights: has('prior/weights') ? values('prior/weights') : new Float64Array(),
  means: has('prior/means') ? values('prior/means') : new Float64Array(),
  covariance: { kind: 'isotropic', variances: new Float64Array(count).fill(1) },
};
const context = testContainer();
const engine = await context.plugin('engine', { id: 'onnxruntime' });
// The family's own process: 999 betas that decrease, before them a level without noise.
const betasDecrease = vpProcess(Float64Array.from({ length: 999 }, (_, t) => 0.02 + ((1e-4 - 0.02) * t) / 998));

/** y = A x0 with a dense matrix [m, d]; nothing beyond `forward` is known of it. */
function denseOperator(matrix: Float64Array, m: number, d: number): Operator {
  const transposed = tf.tidy(() => tf.transpose(tf.tensor2d(Float32Array.from(matrix), [m, d])));
  return {
    linear: true,
    measurementShape: [m],
    draw: () => ({}),
    forward: (x: Image) => x.reshape([-1, d]).matMul(transposed),
  };
}

/** Mean over the directions of the Wasserstein-1 distance of the projections; the counts may differ. */
function slicedW1(
  a: readonly ArrayLike<number>[],
  b: readonly ArrayLike<number>[],
  directions: readonly Float64Array[],
): number {
  const projected = (rows: readonly ArrayLike<number>[], direction: Float64Array) =>
    Float64Array.from(rows, (row) => direction.reduce((sum, value, i) => sum + value * row[i]!, 0)).sort();
  const distances = directions.map((direction) => {
    const [p, q] = [projected(a, direction), projected(b, direction)];
    let distance = 0;
    // Both quantile functions are steps; walk through the union of their jumps.
    for (let i = 0, j = 0, at = 0; i < p.length && j < q.length;) {
      const next = Math.min((i + 1) / p.length, (j + 1) / q.length);
      distance += (next - at) * Math.abs(p[i]! - q[j]!);
      at = next;
      if ((i + 1) * q.length <= (j + 1) * p.length) {
        if ((i + 1) * q.length === (j + 1) * p.length) j++;
        i++;
      } else j++;
    }
    return distance;
  });
  return distances.reduce((sum, value) => sum + value, 0) / distances.length;
}

/**
 * Half the sum of | frequency - weight |, each sample counted for its nearest component: they lie many standard
 * deviations apart.
 */
function modeError(rows: readonly ArrayLike<number>[], posterior: GaussianMixture, d: number): number {
  const frequency = new Float64Array(count);
  for (const row of rows) {
    const distances = Array.from({ length: count }, (_, k) =>
      Array.from({ length: d }, (_, i) => (row[i]! - posterior.means[k * d + i]!) ** 2).reduce(
        (sum, value) => sum + value,
        0,
      ),
    );
    frequency[distances.indexOf(Math.min(...distances))]! += 1 / rows.length;
  }
  return posterior.weights.reduce((sum, weight, k) => sum + Math.abs(weight - frequency[k]!), 0) / 2;
}

/** Fifty unit vectors, where a file stores none. */
const randomDirections = (d: number): Float64Array[] =>
  Array.from({ length: 50 }, (_, index) => {
    const direction = Float64Array.from(keyedRandom(`direction ${index}`).normal('direction', d));
    const norm = Math.hypot(...direction);
    return direction.map((value) => value / norm);
  });

/** Mean, standard deviation and 95 % quantile of a dozen sets of 1000 exact draws against 10,000 others. */
function ownFloor(
  exactDraws: (each: number, set: string) => readonly ArrayLike<number>[],
  posterior: GaussianMixture,
  directions: readonly Float64Array[],
  d: number,
): Floors {
  const reference = exactDraws(10_000, 'floor');
  const sets = Array.from({ length: 12 }, (_, set) => exactDraws(1000, `floor ${set}`));
  const summary = (each: readonly number[]): Floor => {
    const mean = each.reduce((sum, value) => sum + value, 0) / each.length;
    const sd = Math.sqrt(each.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (each.length - 1));
    return { mean, sd, q95: Math.max(...each) };
  };
  return {
    slicedW1: summary(sets.map((set) => slicedW1(set, reference, directions))),
    modeWeightTotalVariation: summary(sets.map((set) => modeError(set, posterior, d))),
  };
}

for (const [name, facts] of Object.entries(problems)) {
  const { d, dy, sigma } = facts;
  const [a, y] = [values(`${name}/A`), values(`${name}/y`)];
  const posterior = posteriorMixture(prior, a, y, sigma);

  report.case(`${name} posterior`, () => {
    const close = (what: string, ours: ArrayLike<number>) => {
      if (!has(`${name}/posterior/${what}`)) return report.notListed(`${name}/posterior/${what}`);
      expect.soft(relativeDifference(ours, values(`${name}/posterior/${what}`)), what).toBeLessThan(1e-8);
    };
    close('weights', posterior.weights);
    close('means', posterior.means);
    const { covariance } = posterior;
    if (covariance.kind !== 'full') throw new Error('a posterior has full covariances');
    for (let k = 0; k < count; k++) close('covariance', covariance.matrices.slice(k * d * d, (k + 1) * d * d));
    const moments = mixtureMoments(posterior);
    close('mixtureMean', moments.mean);
    close('mixtureCovariance', moments.covariance);
    if (facts.effectiveComponents === undefined) return report.notListed(`${name} effectiveComponents`);
    const effective = 1 / posterior.weights.reduce((sum, weight) => sum + weight ** 2, 0);
    expect.soft(Math.abs(effective / facts.effectiveComponents - 1), 'effective components').toBeLessThan(1e-9);
  });

  /** `each` exact draws of the posterior, of which there are as many sets as are asked for. */
  const exactDraws = (each: number, set: string) =>
    Array.from({ length: each }, (_, index) => drawFromMixture(posterior, keyedRandom(`${set} ${index}`)).x0);
  const directions = has(`${name}/directions`) ? rowsOf(`${name}/directions`) : randomDirections(d);
  if (!has(`${name}/draws`) || facts.metricCheck === undefined) report.notListed(`${name} metricCheck`);
  else {
    const draws = rowsOf(`${name}/draws`);
    const half = draws.length / 2;
    const { metricCheck } = facts;
    report.case(`${name} metric`, () => {
      const distance = slicedW1(draws.slice(0, half), draws.slice(half), directions);
      expect(Math.abs(distance / metricCheck.slicedW1 - 1)).toBeLessThan(1e-6);
      // Unequal counts: every draw three times is the same distribution.
      const few = draws.slice(0, 200);
      expect(
        slicedW1(
          few,
          few.flatMap((row) => [row, row, row]),
          directions,
        ),
      ).toBeLessThan(1e-12);
    });
  }

  const problem: Problem = {
    hash: `gmm25 ${name}`,
    name,
    operator: 'dense',
    sigmaY: sigma,
    x0: tf.zeros([1, d, 1]),
    y: tf.tensor1d(Float32Array.from(y)),
    drawn: {},
  };
  const sample = async (method: { readonly id: string; readonly options?: Record<string, unknown> }, steps: number) => {
    const guidance = await context.plugin('guidance', method);
    const scheduler = await context.plugin('scheduler', { id: 'ddim', options: { steps, eta: 1 } });
    const model = mixtureModel({ imageShape: [1, d, 1], process: betasDecrease, mixture: () => prior });
    await model.load?.();
    const run = await bind(guidance, { engine, model, operator: denseOperator(a, dy, d), scheduler });
    const { rows } = await sampleRows(
      run,
      new Array<Problem>(1000).fill(problem),
      Array.from({ length: 1000 }, (_, index) => index),
    );
    run.bound.dispose();
    const reference = exactDraws(10_000, 'reference');
    return { slicedW1: slicedW1(rows, reference, directions), modes: modeError(rows, posterior, d) };
  };

  /** Sliced W1 of the method in the table of the file, where it knows the problem. */
  const stored = (method: string): number | undefined => {
    const column = reproductions?.columns.indexOf(`${name} SW1`) ?? -1;
    const value = reproductions?.rows.find((row) => row.method === method)?.values[column];
    return value === undefined ? undefined : Number.parseFloat(value);
  };
  /** How far 1000 exact draws are from 10,000: the file's numbers, or those of sets of our own. */
  const floor = facts.floor?.sampler1000 ?? ownFloor(exactDraws, posterior, directions, d);
  if (facts.floor?.sampler1000 === undefined) report.notListed(`${name} floor`);
  const near = (got: number, method: string, expected = stored(method)) => {
    if (expected === undefined) return report.notListed(`${name}: ${method}`);
    expect
      .soft(Math.abs(got - expected), `sliced W1 ${got}, stored ${expected}, ${method}`)
      .toBeLessThan(0.35 * expected + 3 * floor.slicedW1.sd);
  };
  /** Of 1000 exact draws hardly any set does worse; one draw in a wrong mode is forgiven. */
  const modeLimit = floor.modeWeightTotalVariation.q95 + 3 * floor.modeWeightTotalVariation.sd + 1 / 1000;

  report.case(`${name} exact`, async () => {
    const got = await sample({ id: 'exact' }, 100);
    // 0.12: what 100 steps cost in units of the components' width.
    expect.soft(got.slicedW1).toBeLessThan(floor.slicedW1.mean + 3 * floor.slicedW1.sd + 0.12);
    expect.soft(got.modes).toBeLessThan(modeLimit);
    near(got.slicedW1, 'exact conditional score, 100 steps, eta 1');
  });

  if (process.env['TWEEDIE_FULL'] === '1' && name === 'p1')
    report.case(`${name} exact, all 999 steps`, async () => {
      const got = await sample({ id: 'exact' }, 999);
      expect(got.slicedW1).toBeLessThan(1.5 * floor.slicedW1.mean);
    });

  for (const zeta of [0.1, 1]) {
    const method = `DPS, right coefficients, eta 1, zeta ${zeta}`;
    const expected = stored(method);
    // How far DPS ends from the posterior is a measured number of that problem, not a law.
    if (expected === undefined) {
      report.notListed(`${name}: ${method}`);
      continue;
    }
    report.case(`${name} dps zeta ${zeta}`, async () => {
      const got = await sample({ id: 'dps', options: { form: 'paper', scale: zeta } }, 100);
      near(got.slicedW1, method, expected);
      // Sliced W1 of one run scatters by a third; where the stored one is beyond that, no exact draws come near it.
      if (expected > 2 * (floor.slicedW1.mean + 3 * floor.slicedW1.sd))
        expect.soft(got.slicedW1).toBeGreaterThan(floor.slicedW1.q95);
    });
  }
}

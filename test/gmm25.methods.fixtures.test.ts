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
import { fixtureReport, readFixtureJson, readFixtureTensors } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';

type Floor = { readonly mean: number; readonly sd: number; readonly q95: number };
type Floors = { readonly slicedW1: Floor; readonly modeWeightTotalVariation: Floor };
type ProblemFacts = {
  readonly d: number;
  readonly dy: number;
  readonly sigma: number;
  readonly effectiveComponents: number;
  readonly floor: { readonly sampler1000: Floors };
  readonly metricCheck: { readonly slicedW1: number };
};
type Fixture = {
  readonly tensors: string;
  readonly problems: Readonly<Record<string, ProblemFacts>>;
  readonly reproductions: {
    readonly columns: readonly string[];
    readonly rows: readonly { readonly method: string; readonly values: readonly string[] }[];
  };
};

const { problems, reproductions, tensors: file } = readFixtureJson<Fixture>('methods', 'posterior-gmm25.json');
const tensors = readFixtureTensors('methods', file);
const report = fixtureReport('methods', 'gmm25');
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

const count = values('prior/weights').length;
const prior: GaussianMixture = {
  weights: values('prior/weights'),
  means: values('prior/means'),
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

for (const [name, facts] of Object.entries(problems)) {
  const { d, dy, sigma } = facts;
  const [a, y] = [values(`${name}/A`), values(`${name}/y`)];
  const posterior = posteriorMixture(prior, a, y, sigma);

  report.case(`${name} posterior`, () => {
    expect
      .soft(relativeDifference(posterior.weights, values(`${name}/posterior/weights`)), 'weights')
      .toBeLessThan(1e-8);
    expect.soft(relativeDifference(posterior.means, values(`${name}/posterior/means`)), 'means').toBeLessThan(1e-8);
    const { covariance } = posterior;
    if (covariance.kind !== 'full') throw new Error('a posterior has full covariances');
    const stored = values(`${name}/posterior/covariance`);
    for (let k = 0; k < count; k++) {
      const ours = covariance.matrices.slice(k * d * d, (k + 1) * d * d);
      expect.soft(relativeDifference(ours, stored), `covariance ${k}`).toBeLessThan(1e-8);
    }
    const moments = mixtureMoments(posterior);
    expect
      .soft(relativeDifference(moments.mean, values(`${name}/posterior/mixtureMean`)), 'mixture mean')
      .toBeLessThan(1e-8);
    expect
      .soft(relativeDifference(moments.covariance, values(`${name}/posterior/mixtureCovariance`)), 'mixture covariance')
      .toBeLessThan(1e-8);
    expect
      .soft(
        Math.abs(1 / posterior.weights.reduce((sum, weight) => sum + weight ** 2, 0) / facts.effectiveComponents - 1),
        'effective components',
      )
      .toBeLessThan(1e-9);
  });

  const directions = rowsOf(`${name}/directions`);
  const draws = rowsOf(`${name}/draws`);
  report.case(`${name} metric`, () => {
    const distance = slicedW1(draws.slice(0, 1000), draws.slice(1000), directions);
    expect(Math.abs(distance / facts.metricCheck.slicedW1 - 1)).toBeLessThan(1e-6);
    // Unequal counts: every draw three times is the same distribution.
    expect(
      slicedW1(
        draws.slice(0, 200),
        draws.slice(0, 200).flatMap((row) => [row, row, row]),
        directions,
      ),
    ).toBeLessThan(1e-12);
  });

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
    const reference = Array.from(
      { length: 10_000 },
      (_, index) => drawFromMixture(posterior, keyedRandom(`reference ${index}`)).x0,
    );
    return { slicedW1: slicedW1(rows, reference, directions), modes: modeError(rows, posterior, d) };
  };

  /** Sliced W1 of the method in the table of the file, where it knows the problem. */
  const stored = (method: string): number | undefined => {
    const column = reproductions.columns.indexOf(`${name} SW1`);
    const value = reproductions.rows.find((row) => row.method === method)?.values[column];
    return value === undefined ? undefined : Number.parseFloat(value);
  };
  const near = (got: number, method: string) => {
    const expected = stored(method);
    if (expected !== undefined)
      expect
        .soft(Math.abs(got - expected), `sliced W1 ${got}, stored ${expected}, ${method}`)
        .toBeLessThan(0.35 * expected + 3 * facts.floor.sampler1000.slicedW1.sd);
  };
  const { slicedW1: floor, modeWeightTotalVariation: modeFloor } = facts.floor.sampler1000;
  /** Of 1000 exact draws hardly any set does worse; one draw in a wrong mode is forgiven. */
  const modeLimit = modeFloor.q95 + 3 * modeFloor.sd + 1 / 1000;

  report.case(`${name} exact`, async () => {
    const got = await sample({ id: 'exact' }, 100);
    // 0.12: what 100 steps cost in units of the components' width.
    expect.soft(got.slicedW1).toBeLessThan(floor.mean + 3 * floor.sd + 0.12);
    expect.soft(got.modes).toBeLessThan(modeLimit);
    near(got.slicedW1, 'exact conditional score, 100 steps, eta 1');
  });

  for (const zeta of [0.1, 1]) {
    report.case(`${name} dps zeta ${zeta}`, async () => {
      const got = await sample({ id: 'dps', options: { form: 'paper', scale: zeta } }, 100);
      // Wrong weights of the modes tell DPS from exact draws every time; sliced W1 of one run scatters by a third.
      expect.soft(got.modes).toBeGreaterThan(modeLimit);
      near(got.slicedW1, `DPS, right coefficients, eta 1, zeta ${zeta}`);
    });
  }
}

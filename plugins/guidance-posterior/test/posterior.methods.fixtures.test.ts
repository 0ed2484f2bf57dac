/** The mean and the draws of posteriors that NumPy programs have computed. */
import {
  type GaussianMixture,
  type Image,
  mixtureModel,
  noiseProcess,
  type Operator,
  type Problem,
  tf,
} from '@tweedie/core';
import { bind, relativeDifference, sampleRows, testContainer } from '@tweedie/testing';
import { fixtureReport } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';

type Facts = {
  readonly problems: Readonly<Record<string, { readonly d: number; readonly dy: number; readonly sigma: number }>>;
};

const report = fixtureReport('methods', 'posterior draws');
const facts = report.index<Facts & { tensors: string }>('posterior-gmm25.json', { problems: {}, tensors: '' });
const tensors = report.tensors(facts.tensors);
const values = (name: string) => Float64Array.from(tensors.get(name)!.data, Number);
const context = testContainer();
const engine = await context.plugin('engine', { id: 'onnxruntime' });
const scheduler = await context.plugin('scheduler', { id: 'ddpm' });

const dense = (matrix: Float64Array, m: number, d: number): Operator => {
  const transposed = tf.tidy(() => tf.transpose(tf.tensor2d(Float32Array.from(matrix), [m, d])));
  return {
    linear: true,
    measurementShape: [m],
    draw: () => ({}),
    forward: (x: Image) => x.reshape([-1, d]).matMul(transposed),
  };
};

for (const [id, { d, dy, sigma }] of Object.entries(facts.problems)) {
  const needed = [
    'A',
    'y',
    'posterior/mixtureMean',
    'posterior/mixtureCovariance',
    'posterior/weights',
    'posterior/means',
  ];
  if (!tensors.has('prior/means') || needed.some((name) => !tensors.has(`${id}/${name}`))) {
    report.notListed(`${id}: the posterior`);
    continue;
  }
  const prior: GaussianMixture = {
    weights: values('prior/weights'),
    means: values('prior/means'),
    covariance: { kind: 'isotropic', variances: new Float64Array(values('prior/weights').length).fill(1) },
  };
  const problem: Problem = {
    hash: `posterior ${id}`,
    name: id,
    operator: 'dense',
    sigmaY: sigma,
    x0: tf.zeros([1, d, 1]),
    y: tf.tensor1d(Float32Array.from(values(`${id}/y`))),
    drawn: {},
  };
  const sample = async (statistic: 'draw' | 'mean', count: number) => {
    const model = mixtureModel({ imageShape: [1, d, 1], process: noiseProcess(), mixture: () => prior });
    await model.load?.();
    const guidance = await context.plugin('guidance', { id: 'posterior', options: { statistic } });
    const run = await bind(guidance, { engine, model, operator: dense(values(`${id}/A`), dy, d), scheduler });
    const { rows } = await sampleRows(
      run,
      new Array<Problem>(count).fill(problem),
      Array.from({ length: count }, (_, i) => i),
    );
    run.bound.dispose();
    return rows;
  };

  report.case(`${id} mean`, async () => {
    const [mean = []] = await sample('mean', 1);
    // y and A are float32 here, and p1 divides their differences by sigmaY = 0.005.
    expect(relativeDifference(mean, values(`${id}/posterior/mixtureMean`))).toBeLessThan(1e-3);
  });

  report.case(`${id} draws`, async () => {
    const n = 4000;
    const rows = await sample('draw', n);
    const [mean, covariance] = [values(`${id}/posterior/mixtureMean`), values(`${id}/posterior/mixtureCovariance`)];
    for (let i = 0; i < d; i++) {
      const own = rows.reduce((sum, row) => sum + row[i]!, 0) / n;
      expect(Math.abs(own - mean[i]!), `mean ${i}`).toBeLessThan(4.5 * Math.sqrt(covariance[i * d + i]! / n));
      const squares = rows.map((row) => (row[i]! - mean[i]!) ** 2);
      const variance = squares.reduce((sum, value) => sum + value, 0) / n;
      const spread = Math.sqrt(squares.reduce((sum, value) => sum + (value - variance) ** 2, 0) / n / n);
      expect(Math.abs(variance - covariance[i * d + i]!), `variance ${i}`).toBeLessThan(4.5 * spread);
    }
    const [weights, means] = [values(`${id}/posterior/weights`), values(`${id}/posterior/means`)];
    const counts = new Float64Array(weights.length);
    for (const row of rows) {
      const distances = [...weights.keys()].map((k) =>
        row.reduce((sum, value, i) => sum + (value - means[k * d + i]!) ** 2, 0),
      );
      counts[distances.indexOf(Math.min(...distances))]! += 1 / n;
    }
    // Modes lie 8 standard deviations apart, or more.
    weights.forEach((weight, k) =>
      expect(Math.abs(counts[k]! - weight), `weight ${k}`).toBeLessThan(
        4.5 * Math.sqrt((weight * (1 - weight)) / n) + 2 / n,
      ),
    );
  });
}

/**
 * How good the mixtures are, on patches of photographs that they were not fitted to, and how many components of their
 * posteriors live. Needs the photographs (`tweedie fetch photographs`); prints the tables of `README.md` beside it.
 */
import { parseArgs } from 'node:util';
import {
  type Dataset,
  denoiseMixture,
  drawFromMixture,
  effectiveComponents,
  type GaussianMixture,
  type Image,
  keyedRandom,
  makeProblem,
  mixtureTensors,
  type Operator,
  posteriorWeights,
  sharedIsotropicTensors,
  denoiseSharedIsotropic,
  createContainer,
  openRegistry,
  stackTrees,
  type TensorTree,
  tf,
  unitImages,
} from '@tweedie/core';
import { createFiles } from '@tweedie/files';

const { values } = parseArgs({
  options: {
    channels: { type: 'string', default: '1' },
    patches: { type: 'string', default: '4000' },
    /** Training patches of the empirical prior and of the one Gaussian. */
    training: { type: 'string', default: '20000' },
    problems: { type: 'string', default: '64' },
    levels: { type: 'string', default: '0.05,0.1,0.2,0.4' },
    only: { type: 'string', default: 'denoise,modes' },
  },
});
const channels = values.channels === '3' ? 3 : 1;
const shape = [8, 8, channels] as const;
const d = 64 * channels;
const container = createContainer({ registry: openRegistry(), files: createFiles(process.cwd()) });
const model = await container.plugin('model', { id: 'patches', options: { channels } });
await model.load?.();
const mixture = model.mixture?.();
if (mixture === undefined) throw new Error('model/patches has a mixture.');

const patchesOf = async (split: 'train' | 'test', count: number): Promise<Float32Array> => {
  const options = { split, size: 8, channels, crops: count, seed: 7 };
  const dataset: Dataset = await container.plugin('dataset', { id: 'photographs', options });
  const all = new Float32Array(count * d);
  for (let i = 0; i < count; i++) all.set((await dataset.item(i)).x0, i * d);
  return all;
};

/** Mean and covariance of patches: the one Gaussian. */
const gaussianOf = (all: Float32Array): GaussianMixture => {
  const count = all.length / d;
  const mean = new Float64Array(d);
  all.forEach((value, at) => (mean[at % d] = (mean[at % d] ?? 0) + value / count));
  const matrix = new Float64Array(d * d);
  for (let n = 0; n < count; n++)
    for (let i = 0; i < d; i++) {
      const offset = ((all[n * d + i] ?? 0) - (mean[i] ?? 0)) / count;
      for (let j = 0; j < d; j++)
        matrix[i * d + j] = (matrix[i * d + j] ?? 0) + offset * ((all[n * d + j] ?? 0) - (mean[j] ?? 0));
    }
  for (let i = 0; i < d; i++) matrix[i * (d + 1)] = (matrix[i * (d + 1)] ?? 0) + 1e-5;
  return { weights: Float64Array.of(1), means: mean, covariance: { kind: 'full', matrices: matrix } };
};

const ROWS = 250;
const engine = await container.plugin('engine', { id: 'onnxruntime' });
/** PSNR of the mean squared error over all patches, for a range of [-1, 1]. */
const psnrOf = async (
  clean: Float32Array,
  noisy: Float32Array,
  denoise: (z: tf.Tensor) => tf.Tensor | Promise<tf.Tensor>,
): Promise<number> => {
  let sum = 0;
  for (let from = 0; from < clean.length; from += ROWS * d) {
    const part = noisy.subarray(from, from + ROWS * d);
    const z = tf.tensor2d(part, [part.length / d, d]);
    const result = await denoise(z);
    result.dataSync().forEach((value, i) => (sum += (value - (clean[from + i] ?? 0)) ** 2));
    tf.dispose([z, result]);
  }
  return 10 * Math.log10((4 * clean.length) / sum);
};

if (values.only.includes('denoise')) {
  const clean = await patchesOf('test', Number(values.patches));
  const training = await patchesOf('train', Number(values.training));
  const count = training.length / d;
  const own = mixtureTensors(mixture);
  const one = mixtureTensors(gaussianOf(training));
  const byMixture = engine.compile((z: tf.Tensor, nu: tf.Tensor) => denoiseMixture(z, nu, own).x0hat);
  const byGaussian = engine.compile((z: tf.Tensor, nu: tf.Tensor) => denoiseMixture(z, nu, one).x0hat);
  const empirical = (h: number) =>
    sharedIsotropicTensors(
      {
        weights: new Float64Array(count).fill(1 / count),
        means: training,
        covariance: { kind: 'isotropic', variances: new Float64Array(count).fill(h * h) },
      },
      h * h,
    );
  console.log(`\nDenoising of ${clean.length / d} held-out patches ${shape.join('x')}, dB`);
  for (const sigma of [0.05, 0.1, 0.2, 0.5]) {
    const noise = keyedRandom(`measure ${sigma}`).normal('noise', clean.length);
    const noisy = clean.map((value, i) => value + sigma * (noise[i] ?? 0));
    const variance = tf.scalar(sigma * sigma);
    const rivals: { h: number; psnr: number }[] = [];
    for (const h of [0.05, 0.1, 0.2]) {
      const { variance: own, ...tensors } = empirical(h);
      const denoise = engine.compile(
        (z: tf.Tensor, nu: tf.Tensor) => denoiseSharedIsotropic(z, nu, { ...tensors, variance: own }).x0hat,
      );
      rivals.push({ h, psnr: await psnrOf(clean, noisy, (z) => denoise(z, variance)) });
      denoise.dispose();
      tf.dispose(tensors);
    }
    const best = rivals.reduce((a, b) => (b.psnr > a.psnr ? b : a));
    const row = {
      noisy: await psnrOf(clean, noisy, (z) => z.clone()),
      empirical: best.psnr,
      gaussian: await psnrOf(clean, noisy, (z) => byGaussian(z, variance)),
      mixture: await psnrOf(clean, noisy, (z) => byMixture(z, variance)),
    };
    const shown = Object.entries(row).map(([name, value]) => `${name} ${value.toFixed(2)}`);
    console.log(`| ${sigma} | ${shown.join(' | ')} | bandwidth ${best.h} |`);
  }
}

if (values.only.includes('modes')) {
  const operators: readonly (readonly [string, string, object])[] = [
    ['denoise', 'identity', {}],
    ['mask 50 %', 'inpaint', { rate: 0.5 }],
    ['mask 70 %', 'inpaint', { rate: 0.7 }],
    ['box 4x4', 'inpaint', { pattern: 'box', box: 4 }],
    ['super-resolution x2', 'super-resolution', { factor: 2, kernel: 'block' }],
    ['super-resolution x4', 'super-resolution', { factor: 4, kernel: 'block' }],
    ['blur 1', 'blur', { std: 1, size: 5 }],
    ['blur 2', 'blur', { std: 2, size: 9 }],
  ];
  const levels = values.levels.split(',').map(Number);
  console.log(
    `\nEffective components of the posterior, median (10 % to 90 %) over ${values.problems} draws of the prior`,
  );
  console.log(`| operator | ${levels.join(' | ')} |`);
  for (const [name, id, options] of operators) {
    const operator: Operator = await container.plugin(
      'operator',
      { id, options: { ...options } },
      { imageShape: shape },
    );
    const forward = engine.compile((x: Image, drawn: TensorTree) => operator.forward(x, drawn));
    const cells: string[] = [];
    for (const sigmaY of levels) {
      const counts: number[] = [];
      for (let i = 0; i < Number(values.problems); i++) {
        const { x0 } = drawFromMixture(mixture, keyedRandom(`measure, patch ${i}`));
        const about = { name: `patch-${i}`, imageShape: shape, operator, operatorKey: name, seed: 0 };
        const { y, drawn } = makeProblem({ ...about, x0, sigmaY });
        const m = y.size;
        const units = await forward(unitImages(0, d, shape), stackTrees(Array.from({ length: d }, () => drawn)));
        const columns = units.dataSync();
        const matrix = Float64Array.from({ length: m * d }, (_, at) => columns[(at % d) * m + Math.floor(at / d)] ?? 0);
        counts.push(
          effectiveComponents({ weights: posteriorWeights(mixture, matrix, Float64Array.from(y.dataSync()), sigmaY) }),
        );
      }
      counts.sort((a, b) => a - b);
      const at = (share: number): string => (counts[Math.floor(share * (counts.length - 1))] ?? NaN).toFixed(1);
      cells.push(`${at(0.5)} (${at(0.1)} to ${at(0.9)})`);
    }
    console.log(`| ${name} | ${cells.join(' | ')} |`);
  }
}

import { anyDraw, formOf } from './closed-form.ts';
import { cholesky, symmetricEigen } from './linalg.ts';
import { type CompiledForward, fingerprintOf, operatorMatrix, VARIANCE_FLOOR } from './operator-matrix.ts';
import { covarianceOf, posteriorMixture, softmax } from './posterior.ts';
import { sizeOf } from './shapes.ts';
import { tf } from './tensorflow.ts';
import { disposeTree, rowsOf } from './trees.ts';
import type {
  Compiled,
  Engine,
  GaussianMixture,
  Image,
  Measured,
  Measurement,
  Operator,
  ScoreModel,
  SpectralForm,
  Tensor,
  TensorTree,
} from './types.ts';

/** Components of less weight are left out: ten thousand of them are met once in a million draws. */
const LEAST_WEIGHT = 1e-10;

/** How many images are turned into coordinates at once. */
const ROWS_AT_ONCE = 128;

/**
 * p(x0 | y) of one problem, a mixture with diagonal or full covariances over coordinates: the entries of the image, or
 * those of an orthonormal basis in which it stays diagonal.
 */
export type KnownPosterior = {
  /** The components of weight 1e-10 or more (dense: times the largest weight), float64. */
  readonly law: GaussianMixture;
  /** Which component of the prior each of them comes from. */
  readonly components: Int32Array;
};

/** The posteriors of all problems of a prior and an operator. */
export interface KnownPosteriors {
  /** The prior in the same coordinates. */
  readonly prior: GaussianMixture;
  /** The posterior of one problem, whose tensors have a batch axis of 1. */
  of(problem: Measured): Promise<KnownPosterior>;
  /** Images [B, H, W, C] of rows of coordinates; the caller owns them. */
  toImages(rows: readonly ArrayLike<number>[]): Promise<Image>;
  /** The coordinates of images. */
  toCoordinates(x: Image): Promise<readonly Float32Array[]>;
  dispose(): void;
}

type Parts = { readonly model: ScoreModel; readonly operator: Operator };

/**
 * The posteriors of a loaded prior in closed form under a linear operator and Gaussian noise, or a sentence that says
 * why they are not known (`closedFormRefusal` says so before the prior is read). Where A = U diag(q) V^T keeps the
 * covariances diagonal in a V that no draw changes, K d operations a problem; else dense matrices, K (m^3/3 + 2 m d^2).
 * Everything is float64 but what operator and basis compute.
 */
export async function knownPosteriors(engine: Engine, parts: Parts): Promise<KnownPosteriors | string> {
  const { model, operator } = parts;
  const mixture = model.mixture?.();
  if (mixture === undefined) return 'the model is not a prior in closed form (model.mixture)';
  const form = await formOf(engine, parts, mixture);
  if (form.kind === 'none') return form.reason;
  return form.kind === 'dense' || operator.svd === undefined
    ? densePosteriors(engine, parts, mixture)
    : spectralPosteriors(engine, parts, form.prior, operator.svd, form.basis);
}

const asRows = (x: Image): Promise<readonly Float32Array[]> => Promise.resolve(rowsOf(x));
const asImages =
  ({ model: { imageShape } }: Parts) =>
  (rows: readonly ArrayLike<number>[]): Promise<Image> =>
    Promise.resolve(tf.tensor(flat(rows, sizeOf(imageShape)), [rows.length, ...imageShape]));

function flat(rows: readonly ArrayLike<number>[], d: number): Float32Array {
  const values = new Float32Array(rows.length * d);
  rows.forEach((row, i) => values.set(row, i * d));
  return values;
}

function densePosteriors(engine: Engine, parts: Parts, prior: GaussianMixture): KnownPosteriors {
  const { model, operator } = parts;
  const forward = engine.compile((x: Image, drawn: TensorTree) => operator.forward(x, drawn));
  let last: { readonly key: string; readonly matrix: Float64Array } | undefined;
  return {
    prior,
    async of({ y, sigmaY, drawn }) {
      const key = fingerprintOf(drawn);
      if (last?.key !== key)
        last = { key, matrix: await operatorMatrix(forward as CompiledForward, drawn, model.imageShape, y.size) };
      const std = Math.max(sigmaY, Math.sqrt(VARIANCE_FLOOR));
      const measured = Float64Array.from(y.dataSync());
      const { components, ...law } = posteriorMixture(prior, last.matrix, measured, std, LEAST_WEIGHT);
      return { law, components };
    },
    toImages: asImages(parts),
    toCoordinates: asRows,
    dispose: () => forward.dispose(),
  };
}

const heavy = (weights: Float64Array): Int32Array =>
  Int32Array.from([...weights.keys()].filter((k) => (weights[k] ?? 0) >= LEAST_WEIGHT));

function weightsOf(weights: Float64Array, components: Int32Array): Float64Array {
  const kept = Float64Array.from(components, (k) => weights[k] ?? 0);
  const sum = kept.reduce((a, b) => a + b, 0);
  return kept.map((weight) => weight / sum);
}

/**
 * In the basis V every coordinate has its own measurement u = q v + sigmaY noise (docs/methods.md 3.5), so with prior
 * variance s and mean m
 *   variance s sigmaY^2 / (q^2 s + sigmaY^2),   mean m + q s (u - q m) / (q^2 s + sigmaY^2),
 *   log weight - ((u - q m)^2 / (q^2 s + sigmaY^2) + log(q^2 s + sigmaY^2)) / 2, summed over what A sees.
 */
async function spectralPosteriors(
  engine: Engine,
  parts: Parts,
  pixels: GaussianMixture,
  svd: (drawn: TensorTree) => SpectralForm,
  basis: 'pixels' | 'fixed',
): Promise<KnownPosteriors> {
  const { imageShape } = parts.model;
  const d = sizeOf(imageShape);
  const measure = engine.compile((y: Measurement, drawn: TensorTree) => {
    const { measurementToSpectral, singularValues } = svd(drawn);
    return { u: measurementToSpectral(y), q: singularValues };
  });
  const compiled: Pick<Compiled<never, unknown>, 'dispose'>[] = [measure];
  const fixed = () => {
    const to = engine.compile((x: Image, drawn: TensorTree) => svd(drawn).toSpectral(x));
    const from = engine.compile((c: Tensor, drawn: TensorTree) => svd(drawn).fromSpectral(c));
    compiled.push(to, from);
    return { to, from };
  };
  const turn = basis === 'fixed' ? fixed() : undefined;
  const coordinatesOf = async (x: Image): Promise<readonly Float32Array[]> => {
    if (turn === undefined) return rowsOf(x);
    const drawn = anyDraw(parts.operator);
    const c = await turn.to(x, drawn);
    const values = c.dataSync() as Float32Array;
    disposeTree([c, drawn]);
    return Array.from({ length: x.shape[0] }, (_, row) => values.slice(row * d, (row + 1) * d));
  };

  const count = pixels.weights.length;
  let means: Float32Array | Float64Array = pixels.means;
  if (turn !== undefined) {
    means = new Float32Array(count * d);
    for (let from = 0; from < count; from += ROWS_AT_ONCE) {
      const part = Float32Array.from(pixels.means.subarray(from * d, Math.min(count, from + ROWS_AT_ONCE) * d));
      const x: Image = tf.tensor(part, [part.length / d, ...imageShape]);
      (await coordinatesOf(x)).forEach((row, i) => means.set(row, (from + i) * d));
      x.dispose();
    }
  }
  const prior: GaussianMixture = { ...pixels, means };
  const { covariance } = prior;
  if (covariance.kind !== 'isotropic' && covariance.kind !== 'diagonal')
    throw new Error('a spectral posterior has diagonal covariances.');
  const { variances } = covariance;
  const varianceAt = covariance.kind === 'isotropic' ? (k: number) => variances[k] ?? 0 : undefined;

  return {
    prior,
    async of({ y, sigmaY, drawn }) {
      const measured = await measure(y, drawn);
      const [u, q] = [Float64Array.from(measured.u.dataSync()), Float64Array.from(measured.q.dataSync())];
      disposeTree(measured);
      const noise = Math.max(sigmaY ** 2, VARIANCE_FLOOR);
      const seen = [...q.keys()].filter((i) => (q[i] ?? 0) > 0);
      const logWeights = prior.weights.map((weight, k) => {
        let sum = 0;
        for (const i of seen) {
          const gain = q[i] ?? 0;
          const total = gain * gain * (varianceAt?.(k) ?? variances[k * d + i] ?? 0) + noise;
          const residual = (u[i] ?? 0) - gain * (means[k * d + i] ?? 0);
          sum += (residual * residual) / total + Math.log(total);
        }
        return Math.log(weight) - sum / 2;
      });
      const weights = softmax(logWeights);
      const components = heavy(weights);
      const law = {
        means: new Float64Array(components.length * d),
        variances: new Float64Array(components.length * d),
      };
      components.forEach((k, row) => {
        for (let i = 0; i < d; i++) {
          const [gain, mean, s] = [q[i] ?? 0, means[k * d + i] ?? 0, varianceAt?.(k) ?? variances[k * d + i] ?? 0];
          const total = gain * gain * s + noise;
          law.means[row * d + i] = mean + (gain * s * ((u[i] ?? 0) - gain * mean)) / total;
          law.variances[row * d + i] = (s * noise) / total;
        }
      });
      return {
        law: {
          weights: weightsOf(weights, components),
          means: law.means,
          covariance: { kind: 'diagonal', variances: law.variances },
        },
        components,
      };
    },
    async toImages(rows) {
      if (turn === undefined) return asImages(parts)(rows);
      const [c, drawn] = [tf.tensor2d(flat(rows, d), [rows.length, d]), anyDraw(parts.operator)];
      const x = await turn.from(c, drawn);
      disposeTree([c, drawn]);
      return x;
    },
    toCoordinates: coordinatesOf,
    dispose() {
      for (const fn of compiled) fn.dispose();
    },
  };
}

/** A draw of a mixture in float64: of the component by u in (0, 1), then of it by standard normal `noise`. */
export type MixtureDraw = (u: number, noise: ArrayLike<number>) => Float64Array;

/**
 * Draws from a mixture again and again: the factor of a component is made when it is first drawn. Costs d^3 / 3
 * operations for it with full covariances (10 d^3 where one is singular) and d^2 a draw, else d.
 */
export function mixtureDraws(mixture: GaussianMixture): MixtureDraw {
  const { weights, means, covariance } = mixture;
  const d = means.length / weights.length;
  const factors = new Map<number, Float64Array>();
  const factorOf = (k: number): Float64Array => {
    const known = factors.get(k) ?? factorOfMatrix(covarianceOf(mixture, k), d);
    factors.set(k, known);
    return known;
  };
  return (u, noise) => {
    let k = 0;
    for (let sum = weights[0] ?? 1; sum < u && k < weights.length - 1; sum += weights[k] ?? 0) k++;
    const x = Float64Array.from(means.subarray(k * d, (k + 1) * d));
    if (covariance.kind === 'isotropic' || covariance.kind === 'diagonal') {
      for (let i = 0; i < d; i++) {
        const variance = covariance.variances[covariance.kind === 'isotropic' ? k : k * d + i] ?? 0;
        x[i] = (x[i] ?? 0) + Math.sqrt(variance) * (noise[i] ?? 0);
      }
      return x;
    }
    const factor = factorOf(k);
    for (let i = 0; i < d; i++) {
      let sum = 0;
      for (let j = 0; j < d; j++) sum += (factor[i * d + j] ?? 0) * (noise[j] ?? 0);
      x[i] = (x[i] ?? 0) + sum;
    }
    return x;
  };
}

/** F with F F^T = C, row-major [d, d]: Cholesky's where C has full rank, else from its eigenvectors. */
function factorOfMatrix(matrix: Float64Array, d: number): Float64Array {
  const lower = cholesky(matrix, d);
  if (lower !== undefined) return lower;
  const { values, vectors } = symmetricEigen(matrix, d);
  return vectors.map((value, index) => value * Math.sqrt(Math.max(0, values[index % d] ?? 0)));
}

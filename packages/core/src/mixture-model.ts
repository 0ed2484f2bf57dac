import { createHash } from 'node:crypto';
import { toVe } from './conversions.ts';
import { symmetricEigen } from './linalg.ts';
import {
  type Denoised,
  denoiseMixture,
  denoiseSharedIsotropic,
  type MixtureTensors,
  sharedIsotropicTensors,
  sharedVariance,
} from './mixture.ts';
import { covarianceOf, rankOf } from './posterior.ts';
import { tf } from './tensorflow.ts';
import { disposeTree } from './trees.ts';
import type {
  Covariance,
  GaussianMixture,
  Image,
  ImageShape,
  LevelTensors,
  NoiseProcess,
  Prediction,
  ScoreModel,
  Tensor,
} from './types.ts';

/** The least sigma that is divided by; far below any of a table. */
const SIGMA_FLOOR = 1e-20;

type LowRank = Extract<Covariance, { readonly kind: 'low-rank' }>;

/** A mixture as tensors, every component in its own eigenbasis; [1, K, ...]. The caller owns them. */
export function mixtureTensors(mixture: GaussianMixture): MixtureTensors {
  const { weights, means, covariance } = mixture;
  const count = weights.length;
  const d = means.length / count;
  const shared = {
    logWeights: tf.tensor2d(Float32Array.from(weights, Math.log), [1, count]),
    means: tf.tensor3d(Float32Array.from(means), [1, count, d]),
  };
  if (covariance.kind === 'low-rank') {
    const { basis, variances, rank } = factorAxes(covariance, count, d);
    return {
      ...shared,
      variances: tf.tensor3d(variances, [1, count, rank]),
      basis: tf.tensor4d(basis, [1, count, d, rank]),
      rest: tf.tensor3d(Float32Array.from(covariance.variances), [1, count, 1]),
    };
  }
  if (covariance.kind !== 'full') {
    const axes = covariance.kind === 'isotropic' ? 1 : d;
    return { ...shared, variances: tf.tensor3d(Float32Array.from(covariance.variances), [1, count, axes]) };
  }
  const variances = new Float32Array(count * d);
  const basis = new Float32Array(count * d * d);
  for (let k = 0; k < count; k++) {
    const { values, vectors } = symmetricEigen(covarianceOf(mixture, k), d);
    variances.set(
      values.map((value) => Math.max(0, value)),
      k * d,
    );
    basis.set(vectors, k * d * d);
  }
  return { ...shared, variances: tf.tensor3d(variances, [1, count, d]), basis: tf.tensor4d(basis, [1, count, d, d]) };
}

/** Unit columns of factors, and the variances along them. Columns of zeros, of an axis that is not used, stay zeros. */
function factorAxes({ factors, variances }: LowRank, count: number, d: number) {
  const rank = rankOf({ factors }, count, d);
  const along = new Float32Array(count * rank);
  const basis = new Float32Array(factors.length);
  for (let k = 0; k < count; k++) {
    for (let j = 0; j < rank; j++) {
      const at = (i: number): number => (k * d + i) * rank + j;
      let square = 0;
      for (let i = 0; i < d; i++) square += (factors[at(i)] ?? 0) ** 2;
      along[k * rank + j] = square + (variances[k] ?? 0);
      for (let i = 0; i < d && square > 0; i++) basis[at(i)] = (factors[at(i)] ?? 0) / Math.sqrt(square);
    }
  }
  return { basis, variances: along, rank };
}

/** SHA-256 of a mixture's numbers: its "weights hash". */
export function mixtureHash({ weights, means, covariance }: GaussianMixture): string {
  const hash = createHash('sha256').update(covariance.kind);
  const numbers =
    covariance.kind === 'full'
      ? [covariance.matrices]
      : covariance.kind === 'low-rank'
        ? [covariance.factors, covariance.variances]
        : [covariance.variances];
  for (const values of [weights, means, ...numbers]) {
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return hash.digest('hex');
}

/**
 * A closed-form prior as a score model: x0hat = E[x0 | xt] exactly, at any noise level of a VP or VE process
 * (docs/methods.md 3, known-posterior priors). `mixture` is called once, at `load`. Cost: two [B, d] x [d, K] products
 * where all covariances are s^2 I, else K d (d^2 with full covariances, d r with those of rank r) operations a sample.
 */
export function mixtureModel(facts: {
  imageShape: ImageShape;
  process: NoiseProcess;
  mixture: () => GaussianMixture | Promise<GaussianMixture>;
  /** The range of the data, where they have one. */
  dataRange?: readonly [low: number, high: number];
  covariance?: Covariance['kind'];
}): ScoreModel {
  const { imageShape, process, dataRange, covariance } = facts;
  let loaded:
    | { mixture: GaussianMixture; denoise: (z: Tensor, noiseVariance: Tensor) => Denoised; dispose: () => void }
    | undefined;
  const ready = () => {
    if (loaded === undefined) throw new Error('model: load() has not been called.');
    return loaded;
  };
  return {
    imageShape,
    process,
    ...(dataRange && { dataRange }),
    ...(covariance === undefined ? {} : { covariance }),
    mixture: () => ready().mixture,
    weightsHash: () => mixtureHash(ready().mixture),
    async load() {
      if (loaded !== undefined) return;
      const mixture = await facts.mixture();
      const variance = sharedVariance(mixture);
      if (variance === undefined) {
        const tensors = mixtureTensors(mixture);
        loaded = {
          mixture,
          denoise: (z, noise) => denoiseMixture(z, noise, tensors),
          dispose: () => disposeTree({ ...tensors }),
        };
      } else {
        const { variance: _, ...tensors } = sharedIsotropicTensors(mixture, variance);
        loaded = {
          mixture,
          denoise: (z, noise) => denoiseSharedIsotropic(z, noise, { ...tensors, variance }),
          dispose: () => disposeTree(tensors),
        };
      }
    },
    predict(xt: Image, level: LevelTensors): Prediction {
      const z = toVe(xt, level).reshape([xt.shape[0], -1]);
      const { x0hat, noise } = ready().denoise(z, level.sigma.square());
      // At sigma 0 the expected noise is 0 and so is epsilon, its limit; 0 / 0 would be NaN.
      return { x0hat: x0hat.reshape(xt.shape), epsilon: noise.div(level.sigma.maximum(SIGMA_FLOOR)).reshape(xt.shape) };
    },
    dispose() {
      loaded?.dispose();
      loaded = undefined;
    },
  };
}

import {
  batchSize,
  compileSteps,
  ConfigError,
  type Denoised,
  denoiseMixture,
  denoiseSharedIsotropic,
  disposeTree,
  type GaussianMixture,
  type Image,
  initialNoise,
  keyedRandom,
  leavesOf,
  type LevelTensors,
  type Measured,
  type MeasuredTensors,
  mixtureTensors,
  type MixtureTensors,
  reverseStep,
  type Sampler,
  type ScoreModel,
  type Setting,
  sharedIsotropicTensors,
  sharedVariance,
  sizeOf,
  type SpectralForm,
  stackTrees,
  type StepTensors,
  type Tensor,
  type TensorTree,
  tf,
  toVe,
} from '@tweedie/core';
import { conditionalPrediction } from './denoising.ts';
import { densePosterior, VARIANCE_FLOOR } from './dense.ts';

/** The most entries of an image for which the posterior is formed with dense float64 matrices. */
const DENSE_LIMIT = 1024;

type Parts = Pick<Setting, 'model' | 'operator'>;

export function closedFormRefusal({ model, operator }: Parts): string | undefined {
  if (model.mixture === undefined)
    return 'no closed form: the operator is not the identity, and the model is not a prior in closed form (model.mixture)';
  if (!operator.linear) return 'no closed form: the operator is not linear';
  if (operator.svd === undefined && entriesOf(model) > DENSE_LIMIT) {
    return `no closed form: the operator has no svd, and images of ${entriesOf(model)} entries exceed the dense limit of ${DENSE_LIMIT}`;
  }
  return undefined;
}

const entriesOf = ({ imageShape }: ScoreModel): number => sizeOf(imageShape);

type PosteriorMean = (x: Image, level: LevelTensors, problem: MeasuredTensors, posterior: TensorTree) => Image;

/**
 * Any linear A with a mixture prior: E[x0 | xt, y] in closed form, per component in the singular basis or, if need be,
 * from dense matrices (at most 1024 entries; else a ConfigError, when `bind` has read the prior). Cost a step: 1
 * operator call; dense: d at the start, then 0.
 */
export function closedFormSampler(setting: Setting, range: ScoreModel['range']): Sampler<TensorTree> {
  const { engine, model, operator, scheduler } = setting;
  const mixture = model.mixture?.();
  if (mixture === undefined) throw new Error('exact: the planner admits only priors in closed form.');
  const form = operator.svd;
  const { pixels, drawsNothing } = tf.tidy(() => {
    const probe = stackTrees([operator.draw(keyedRandom('exact: does V depend on what is drawn?'))]);
    return { pixels: form?.(probe).pixels === true, drawsNothing: leavesOf(probe).length === 0 };
  });
  // In pixels isotropic and diagonal covariances stay diagonal. In another V only isotropic ones do, and the prior can
  // be rotated in advance only
  // where nothing that is drawn changes V.
  const spectral =
    form !== undefined &&
    (pixels ? mixture.covariance.kind !== 'full' : mixture.covariance.kind === 'isotropic' && drawsNothing);
  if (!spectral && entriesOf(model) > DENSE_LIMIT) {
    throw new ConfigError(
      'guidance/exact',
      `${mixture.covariance.kind} covariances with this operator need dense matrices, and images of ${entriesOf(model)} entries exceed the limit of ${DENSE_LIMIT}.`,
      'Use smaller images.',
    );
  }
  const { mean, constants } = spectral
    ? spectralMean(mixture, form, pixels, model)
    : { mean: denseMean, constants: {} };

  const conditional = conditionalPrediction(setting, range);
  const advance = compileSteps(scheduler, (scheduler) =>
    engine.compile((xt: Image, posterior: TensorTree, step: StepTensors, problem: MeasuredTensors, noise: Image) =>
      reverseStep(scheduler, (x, level) => conditional(x, mean(x, level, problem, posterior), level), xt, step, noise),
    ),
  );

  const forward = engine.compile((x: Image, drawn: TensorTree) => operator.forward(x, drawn));

  type State = { readonly xt: Image; readonly posterior: TensorTree };
  const sampler: Sampler<State> = {
    async start(problem: Measured, { level }, random) {
      const xt = initialNoise(batchSize(problem.y), model.imageShape, level, random);
      return { xt, posterior: spectral ? {} : await densePosterior(mixture, forward, model.imageShape, problem) };
    },
    async step({ xt, posterior }, step, problem, random) {
      const { state, x0hat } = await advance(step)(xt, posterior, step, problem, random.normal('step', xt.shape));
      return { state: { xt: state, posterior }, x0hat };
    },
    result: ({ xt }) => xt,
    dispose: () => disposeTree(constants),
  };
  return sampler;
}

const denseMean: PosteriorMean = (x, level, _problem, posterior) => {
  const z = toVe(x, level).reshape([x.shape[0], -1]);
  return denoiseMixture(z, level.sigma.square(), posterior as MixtureTensors).x0hat.reshape(x.shape);
};

/**
 * docs/methods.md 3.5 in the basis V of A = U diag(q) V^T, where all covariances stay diagonal:
 *   S* = sigma^2 sigmaY^2 / (sigmaY^2 + q^2 sigma^2)
 *   x* = (sigmaY^2 V^T z + q sigma^2 U^T y) / (sigmaY^2 + q^2 sigma^2)
 * and x0hat is the prior's mean given x* with noise variance S* per coordinate.
 */
function spectralMean(
  mixture: GaussianMixture,
  svd: (drawn: TensorTree) => SpectralForm,
  pixels: boolean,
  model: ScoreModel,
) {
  /** V^T of rows [K, d]; V is the identity, or nothing that is drawn changes it. */
  const rotate = (rows: Tensor): Tensor =>
    pixels ? rows : svd({}).toSpectral(rows.reshape([batchSize(rows), ...model.imageShape]));
  const variance = sharedVariance(mixture);
  const { denoise, constants } =
    variance === undefined ? generalPrior(mixture, rotate) : sharedPrior(mixture, variance, rotate);

  const mean: PosteriorMean = (x, level, { y, sigmaY, drawn }) => {
    const { toSpectral, fromSpectral, measurementToSpectral, singularValues: q } = svd(drawn);
    const varianceY = sigmaY.square().maximum(VARIANCE_FLOOR);
    const noise = level.sigma.square();
    const total = q.square().mul(noise).add(varianceY);
    const combined = toSpectral(toVe(x, level))
      .mul(varianceY)
      .add(measurementToSpectral(y).mul(q).mul(noise))
      .div(total);
    return fromSpectral(denoise(combined, noise.mul(varianceY).div(total)).x0hat);
  };
  return { mean, constants };
}

/** A prior in the basis V: its denoiser, and the tensors that the denoiser holds. */
type SpectralPrior = {
  readonly denoise: (combined: Tensor, noiseVariance: Tensor) => Denoised;
  readonly constants: TensorTree;
};

function sharedPrior(mixture: GaussianMixture, variance: number, rotate: (rows: Tensor) => Tensor): SpectralPrior {
  const constants = tf.tidy(() => {
    const { logWeights, offsets, centre } = sharedIsotropicTensors(mixture, variance);
    return { logWeights, offsets: rotate(offsets), centre: rotate(centre.expandDims(0)).flatten() };
  });
  return {
    denoise: (combined, noiseVariance) => denoiseSharedIsotropic(combined, noiseVariance, { ...constants, variance }),
    constants,
  };
}

function generalPrior(mixture: GaussianMixture, rotate: (rows: Tensor) => Tensor): SpectralPrior {
  const constants = tf.tidy(() => {
    const { logWeights, means, variances } = mixtureTensors(mixture);
    return { logWeights, variances, means: rotate(means.squeeze([0])).expandDims(0) };
  });
  return {
    denoise: (combined, noiseVariance) => denoiseMixture(combined, noiseVariance.expandDims(1), constants),
    constants,
  };
}

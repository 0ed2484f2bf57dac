import {
  anyDraw,
  batchSize,
  compileSteps,
  ConfigError,
  type Denoised,
  denoiseMixture,
  denoiseSharedIsotropic,
  disposeTree,
  formOf,
  type GaussianMixture,
  type Image,
  initialNoise,
  type LevelTensors,
  type Measured,
  type MeasuredTensors,
  mixtureTensors,
  type MixtureTensors,
  type Operator,
  reverseStep,
  type Sampler,
  type ScoreModel,
  type Setting,
  sharedIsotropicTensors,
  sharedVariance,
  type SpectralForm,
  type StepTensors,
  type Tensor,
  type TensorTree,
  tf,
  toVe,
  VARIANCE_FLOOR,
} from '@tweedie/core';
import { conditionalPrediction } from './denoising.ts';
import { densePosterior } from './dense.ts';

type PosteriorMean = (x: Image, level: LevelTensors, problem: MeasuredTensors, posterior: TensorTree) => Image;

/**
 * Any linear A with a mixture prior: E[x0 | xt, y] in closed form, per component in the singular basis or, if need be,
 * from dense matrices (at most 1024 entries; else a ConfigError, when `bind` has read the prior). Cost a step: 1
 * operator call; dense: d at the start, then 0.
 */
export async function closedFormSampler(setting: Setting, range: ScoreModel['range']): Promise<Sampler<TensorTree>> {
  const { engine, model, operator, scheduler } = setting;
  const mixture = model.mixture?.();
  if (mixture === undefined) throw new Error('exact: the planner admits only priors in closed form.');
  const form = await formOf(engine, setting, mixture);
  if (form.kind === 'none')
    throw new ConfigError('guidance/exact', `${form.reason}.`, 'Use smaller images, or another method.');
  const spectral = form.kind === 'spectral';
  const { mean, constants } = spectral
    ? spectralMean(form.prior, operator, form.basis, model)
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
  operator: Operator,
  basis: 'pixels' | 'fixed',
  { imageShape }: ScoreModel,
) {
  const svd = (drawn: TensorTree): SpectralForm => {
    if (operator.svd === undefined) throw new Error('exact: a spectral form needs svd.');
    return operator.svd(drawn);
  };
  /** V^T of rows [K, d]; V is the identity, or the same for every draw. */
  const rotate = (rows: Tensor): Tensor =>
    basis === 'pixels' ? rows : svd(anyDraw(operator)).toSpectral(rows.reshape([batchSize(rows), ...imageShape]));
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

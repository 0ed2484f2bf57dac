import {
  batchSize,
  clampedDenoiser,
  combinedLevel,
  combinedState,
  type GuidanceFactory,
  type Image,
  initialNoise,
  keyedRandom,
  type LevelTensors,
  type MeasuredTensors,
  type Operator,
  perSample,
  posteriorScore,
  type ReferenceTask,
  sampleDot,
  sampleNorm,
  sampleSum,
  type Scalar,
  type Setting,
  scoreFromEpsilon,
  stackTrees,
  type Step,
  type StepTensors,
  type Tensor,
  tf,
  toVe,
  valueAndGrad,
} from '@tweedie/core';

export interface DpsWOptions {
  readonly hidden: 'x0hat' | 'x0hat-noise' | 'measured' | 'zero' | 'state';
  readonly scale: number;
  readonly enhanced: boolean;
  readonly cap?: number;
  readonly capUnits: 'update' | 'score';
  readonly cache: boolean;
  readonly refresh: number;
  readonly clamp: boolean;
}

/**
 * The state: `cached` is `epsilon` of the combined point when xt no longer matters in it, or zeros where no cache is
 * kept.
 */
type State = { readonly xt: Image; readonly cached: Image };

/** What yRef holds where the mask hides it. */
type Known = {
  readonly x0hat: Image;
  readonly reference: Image;
  readonly state: Image;
  readonly noise: Image;
  readonly combined: LevelTensors;
};
const fills: Record<DpsWOptions['hidden'], (known: Known) => Image> = {
  x0hat: ({ x0hat }) => x0hat,
  'x0hat-noise': ({ x0hat, noise, combined }) => x0hat.add(noise.mul(combined.sigma)),
  measured: ({ reference }) => reference,
  zero: ({ reference }) => reference.zerosLike(),
  state: ({ state }) => state,
};

const taskOf = (operator: Operator, y: Tensor, drawn: MeasuredTensors['drawn']): ReferenceTask => {
  const task = operator.denoisingReference?.(y, drawn);
  if (task === undefined) throw new Error('dps-w: the planner admits only operators with a denoising reference.');
  return task;
};

/** What one problem tells of all: whether its mask hides entries, and how many gradients a step takes. */
const traitsOf = (operator: Operator) =>
  tf.tidy(() => {
    const { mask, sharesGradient } = taskOf(
      operator,
      tf.zeros([1, ...operator.measurementShape]),
      stackTrees([operator.draw(keyedRandom('dps-w'))]),
    );
    return { hides: mask.min().dataSync()[0] !== 1, gradients: sharesGradient ? 1 : 2 };
  });

/**
 * DPS-w: DPS whose weight is the one that makes its direction best match, in least squares, the exact likelihood score
 * of a reference denoising problem at the same xt.
 *
 *   L    = score of p(xt | yRef) - score of p(xt)            exact for A = I; one more forward, at the combined point
 *   G    = -d/dxt || y - A(x0hat) ||^2,   GRef = -d/dxt || P (yRef - x0hat) ||^2
 *   w    = factor (P L . GRef) / (P GRef . GRef)              per sample; capped
 *   xNext = mean(xt) + std * noise + c w G                    c = scoreWeight of the step
 *
 * yRef, P and factor come from the operator (`denoisingReference`): y and the mask for inpainting, y brought to the
 * size of the image with unit gain and the factor of the sides for super-resolution, y itself for the rest. Cost a
 * step: 2 forwards, 1 vjp (2 where GRef differs from G), 2 operator calls; with `cache` about 1 forward. Needs sigmaY.
 * Bellchambers 2025, arXiv:2506.13614, Section 4.3, Equations 12 to 14, Appendices B.2, B.3, D.2. The text applies w to
 * xNext and never writes c; w is fitted on scores, so without c the step is hundreds of times too long.
 */
export const dpsW: GuidanceFactory<DpsWOptions, State> = ({
  hidden,
  scale,
  enhanced,
  cap,
  capUnits,
  cache,
  refresh,
  clamp,
}) => {
  const isFresh = (step: Step, sigmaY: number) =>
    !cache || sigmaY ** 2 / (step.level.sigma ** 2 + sigmaY ** 2) > refresh;

  return {
    refuses({ operator }) {
      const changes = hidden !== 'zero' && hidden !== 'measured';
      return cache && changes && traitsOf(operator).hides
        ? `the score cache needs a reference image that stays the same, and hidden '${hidden}' changes it at every step; set hidden to 'zero' or 'measured', or cache to false`
        : undefined;
    },

    cost: ({ operator }, steps, sigmaY) => ({
      forwards: steps.length + steps.filter((step) => isFresh(step, sigmaY)).length + (cache ? 1 : 0),
      vjps: steps.length * (operator.denoisingReference ? traitsOf(operator).gradients : 1),
    }),

    bind({ engine, model, operator, scheduler }: Setting) {
      const denoise = clampedDenoiser(model, clamp ? model.range : undefined);

      /** `epsilonAt` gives epsilon of the combined point: from the network, or from the cache. */
      const advance = (epsilonAt: (x: Image, combined: LevelTensors, cached: Image) => Image) =>
        engine.compile(
          (
            xt: Image,
            cached: Image,
            step: StepTensors,
            combined: LevelTensors,
            { y, sigmaY, drawn }: MeasuredTensors,
            noise: Image,
            hiddenNoise: Image,
            limits: { scale: Scalar; cap: Scalar },
          ) => {
            const { level, scoreWeight } = step;
            const { reference, mask, factor, entriesPerObserved, sharesGradient } = taskOf(operator, y, drawn);
            const misfit = valueAndGrad((x) => {
              const prediction = denoise(x, level);
              // A second way back through the same forward.
              const ofReference = () =>
                valueAndGrad(() => [sampleSum(reference.sub(prediction.x0hat).mul(mask).square()), []], x).gradient;
              return [
                sampleSum(y.sub(operator.forward(prediction.x0hat, drawn)).square()),
                { prediction, others: sharesGradient ? [] : [ofReference()] },
              ];
            }, xt);
            const {
              prediction,
              others: [referenceGradient = misfit.gradient],
            } = misfit.aux;
            const { x0hat, epsilon } = prediction;
            const direction = misfit.gradient.neg();

            const fill = fills[hidden]({ x0hat, reference, state: toVe(xt, level), noise: hiddenNoise, combined });
            const yRef = reference.mul(mask).add(fill.mul(tf.sub(1, mask)));
            const combinedEpsilon = epsilonAt(combinedState(xt, yRef, level, combined, sigmaY), combined, cached);
            const posterior = posteriorScore(xt, yRef, combinedEpsilon, level, combined, sigmaY).div(level.signal);
            const likelihood = posterior.sub(scoreFromEpsilon(epsilon, level)).mul(mask);
            const fitted = referenceGradient.neg().mul(mask);
            const fit = tf.divNoNan(sampleDot(likelihood, fitted), sampleDot(fitted, fitted));
            const weight = fit.mul(limits.scale.mul(factor)).mul(enhanced ? entriesPerObserved : tf.onesLike(fit));
            const update =
              capUnits === 'update'
                ? weight.mul(scoreWeight).minimum(limits.cap)
                : weight.minimum(limits.cap).mul(scoreWeight);

            const { mean, std } = scheduler.transition(xt, prediction, step);
            return {
              state: { xt: mean.add(noise.mul(std)).add(direction.mul(perSample(update, xt))), cached },
              x0hat,
              scalars: {
                weight: fit,
                updateWeight: update,
                residualNorm: misfit.value.sqrt(),
                gradientNorm: sampleNorm(direction),
              },
            };
          },
        );
      const fresh = advance((x, combined) => model.predict(x, combined).epsilon);
      const reused = advance((_x, _combined, cached) => cached);
      const atMeasurement = engine.compile((y: Tensor, drawn: MeasuredTensors['drawn'], level: LevelTensors) => {
        const { reference, mask } = taskOf(operator, y, drawn);
        return model.predict((hidden === 'zero' ? reference.mul(mask) : reference).mul(level.signal), level).epsilon;
      });

      return {
        async start({ y, sigmaY, drawn }, { level }, random) {
          const xt = initialNoise(batchSize(y), model.imageShape, level, random);
          return { xt, cached: cache ? await atMeasurement(y, drawn, model.process.levelAt(sigmaY)) : xt.zerosLike() };
        },
        step({ xt, cached }, step, problem, random) {
          const run = isFresh(step, problem.sigmaY) ? fresh : reused;
          const draw = (purpose: string) => random.normal(purpose, xt.shape);
          // Without hidden noise the graph does not use its argument: any image will do.
          const hiddenNoise = hidden === 'x0hat-noise' ? draw('hidden') : xt;
          const combined = combinedLevel(model.process, step.level, problem.sigmaY);
          return run(xt, cached, step, combined, problem, draw('step'), hiddenNoise, {
            scale,
            cap: cap ?? Number.MAX_VALUE,
          });
        },
        result: ({ xt }) => xt,
      };
    },
  };
};

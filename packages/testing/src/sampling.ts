import {
  bindGuidance,
  type BoundGuidance,
  drawBatch,
  type Guidance,
  type ImageShape,
  keyedRandom,
  makeProblem,
  mixtureModel,
  noiseProcess,
  type Operator,
  type Problem,
  type ProcessOptions,
  rowsOf,
  type ScoreModel,
  type Setting,
  sizeOf,
  type Tensor,
  type TensorTree,
  tf,
} from '@tweedie/core';

/** A loaded mixture prior whose components are smooth random pictures of standard deviation about 0.5; seeded. */
export async function mixturePrior(options: {
  readonly imageShape: ImageShape;
  readonly components: number;
  readonly variances: number | readonly number[];
  readonly process?: Partial<ProcessOptions>;
}): Promise<ScoreModel> {
  const { imageShape, components, variances, process } = options;
  const d = sizeOf(imageShape);
  const random = keyedRandom('mixture prior of the tests');
  const model = mixtureModel({
    imageShape,
    process: noiseProcess(process),
    mixture: () => ({
      weights: random
        .uniform('weights', components)
        .map((u) => 0.5 + u)
        .map((w, _, all) => w / all.reduce((a, b) => a + b, 0)),
      means: Float64Array.from(random.normal('means', components * d), (value) => value / 2),
      covariance: {
        kind: 'isotropic',
        variances:
          typeof variances === 'number' ? new Float64Array(components).fill(variances) : Float64Array.from(variances),
      },
    }),
  });
  await model.load?.();
  return model;
}

/** Problems with images and masks of their own, from uniform random pictures. */
export const randomProblems = (operator: Operator, imageShape: ImageShape, count: number, sigmaY: number): Problem[] =>
  Array.from({ length: count }, (_, index) => {
    const x0 = keyedRandom(`picture ${index}`)
      .normal('x0', sizeOf(imageShape))
      .map((value) => value / 2);
    return makeProblem({ name: `picture-${index}`, x0, imageShape, operator, operatorKey: 'test', sigmaY, seed: 0 });
  });

/** A method bound to a setting, with the shape of the images that it makes. */
export type Run = { readonly bound: BoundGuidance; readonly imageShape: ImageShape };

export const bind = async (guidance: Guidance<TensorTree>, setting: Setting): Promise<Run> => ({
  bound: await bindGuidance(guidance, setting),
  imageShape: setting.model.imageShape,
});

/** Samples one row per problem; `samples` are the sample numbers, 0 by default. Gives [rows][entries]. */
export async function sampleRows(
  { bound, imageShape }: Run,
  problems: readonly Problem[],
  samples: readonly number[] = problems.map(() => 0),
) {
  return drawBatch({ bound, imageShape, problems, samples, seed: 0 }, ({ x, failures, cost }) => ({
    rows: rowsOf(x),
    failures,
    cost,
  }));
}

/** The largest | a - b | of two tensors, which may broadcast. */
export const largestGap = (a: Tensor, b: Tensor): number => tf.tidy(() => a.sub(b).abs().max().dataSync()[0] ?? NaN);

/** The relative difference || a - b || / || b || of two lists of numbers; || a - b || where b is zero. */
export function relativeDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.length; i++) {
    difference += ((a[i] ?? NaN) - (b[i] ?? NaN)) ** 2;
    norm += (b[i] ?? NaN) ** 2;
  }
  return Math.sqrt(difference / (norm === 0 ? 1 : norm));
}

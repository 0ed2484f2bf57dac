import {
  type BoundGuidance,
  type Cost,
  type Image,
  type ImageShape,
  isImage,
  keyedRandom,
  type Measured,
  type Setting,
  sizeOf,
  type Step,
  type StepRandom,
  type Tensor,
  tf,
  traced,
} from '@tweedie/core';

/** Images of standard normal numbers, [rows, ...imageShape], times `scale`: the same for one name, at every call. */
export const namedImages =
  (imageShape: ImageShape, rows = 1) =>
  (name: string, scale = 1): Image => {
    const numbers = keyedRandom(name).normal('x', rows * sizeOf(imageShape));
    return tf.tensor4d(
      numbers.map((value) => value * scale),
      [rows, ...imageShape],
    );
  };

/** What a bound method is given for one step. */
export type StepGiven = {
  /** The step's place in the schedule; 0 is the last step. */
  readonly index: number;
  readonly problem: Measured;
  /** The noisy images before the step, [rows, ...imageShape]; a method that keeps more beside them starts it anew. */
  readonly xt: (step: Step) => Image;
  /** The noise of each purpose. */
  readonly noise: (purpose: string) => Image;
};

/** What came of one step. */
export type OneStep = {
  readonly at: Step;
  readonly xt: Image;
  readonly xNext: Image;
  readonly x0hat: Image | undefined;
  readonly scalars: Readonly<Record<string, Tensor>> | undefined;
  /** Rows counted since the method was bound. */
  readonly cost: Cost;
};

/** Takes one step of a bound method. Its state is an image, or an object whose `xt` is one and which `start` makes. */
export async function stepOnce(bound: BoundGuidance, given: StepGiven): Promise<OneStep> {
  const { sampler, steps, cost } = bound;
  const { index, problem, noise } = given;
  const at = steps.find((each) => each.index === index);
  if (at === undefined) throw new Error(`the schedule has ${steps.length} steps, and none of index ${index}.`);
  const random: StepRandom = { normal: (purpose: string) => noise(purpose), uniform: () => tf.zeros([1]) };
  const xt = given.xt(at);
  const start = await sampler.start?.(problem, at, random);
  const { state, x0hat, scalars } = await sampler.step(
    start === undefined ? xt : { ...(start as object), xt },
    at,
    problem,
    random,
  );
  const xNext = (await sampler.result?.(state, problem)) ?? state;
  if (!isImage(xNext))
    throw new Error('the method gives no image: its state has more in it, and there is no `result`.');
  return { at, xt, xNext, x0hat, scalars, cost: cost() };
}

/** The mean and the standard deviation, number by number, that a scheduler gives a step with the method's x0hat. */
export function lawOfStep(
  { model, scheduler }: Pick<Setting, 'model' | 'scheduler'>,
  { at, xt, x0hat }: OneStep,
): { mean: Image; std: Image } {
  const now = traced(at);
  const prediction = model.predict(xt, now.level);
  const { mean, std } = scheduler.transition(xt, { ...prediction, ...(x0hat && { x0hat }) }, now);
  return { mean, std: mean.onesLike().mul(std) };
}

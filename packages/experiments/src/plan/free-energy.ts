import { ConfigError, keyedRandom, sizeOf, stackTrees, tf, type ImageShape, type Operator } from '@tweedie/core';
import { freeEnergyTruth, type FreeEnergyOptions, type FreeEnergyTruth } from '../statistics/free-energy.ts';
import type { Workbench } from './workbench.ts';

/** The part of the analysis that a run folder keeps, so that tables and reports need no model. */
export type FreeEnergyIndex = {
  readonly options: FreeEnergyOptions;
  /** The truth of each problem, in the order of operators and noise levels. */
  readonly tables: readonly { readonly operator: string; readonly sigmaY: number; readonly truth: FreeEnergyTruth }[];
};

/** The position in y of an entry that the operator observes, mixed with no other; undefined where it does not. */
const soleObserved = (operator: Operator, imageShape: ImageShape, entry: number): number | undefined =>
  tf.tidy(() => {
    const d = sizeOf(imageShape);
    const drawn = stackTrees([operator.draw(keyedRandom('free energy: what is observed?'))]);
    const measured = (image: readonly number[]): readonly number[] =>
      Array.from(operator.forward(tf.tensor(image, [1, ...imageShape]), drawn).dataSync());
    const own = measured(Array.from({ length: d }, (_, i) => (i === entry ? 1 : 0)));
    const others = measured(Array.from({ length: d }, (_, i) => (i === entry ? 0 : i + 1)));
    const place = own.findIndex((value) => value !== 0);
    return operator.linear &&
      own.every((value, i) => value === (i === place ? 1 : 0)) &&
      others.every((value) => value === 0)
      ? place
      : undefined;
  });

/**
 * Checks that the analysis fits the experiment, and computes the truth that it is compared with. The model is loaded.
 */
export const freeEnergyIndex = ({ experiment, model, operators, recipe }: Workbench): FreeEnergyIndex | undefined => {
  const { freeEnergy: options, images } = experiment;
  if (options === undefined) return undefined;
  const fail = (what: string, remedy: string) => new ConfigError(`${recipe.where} /freeEnergy`, what, remedy);
  const prior = model.mixture?.();
  const d = sizeOf(model.imageShape);
  if (prior === undefined)
    throw fail('this model does not know its prior in closed form.', 'Use a prior such as model/gmm.');
  if (images.measurements === undefined)
    throw fail(
      images.measured
        ? 'the windows are measurements given as values, and these are pictures.'
        : 'the windows are measurements, and none are given.',
      'Give their centres as "images: { measurements: [...] }".',
    );
  if (!(options.from < options.to))
    throw fail(`the histogram from ${options.from} to ${options.to} is empty.`, 'Give from below to.');
  if (options.entry >= d)
    throw fail(`there is no entry ${options.entry} in images of ${d} entries.`, `Count from 0 to ${d - 1}.`);
  const used = images.measurements.slice(images.offset, images.offset + images.count);
  return {
    options,
    tables: operators.flatMap(({ reference, operator }) => {
      const place = soleObserved(operator, model.imageShape, options.entry);
      if (place === undefined)
        throw fail(
          `operator "${reference.label}" does not observe entry ${options.entry}, and that alone.`,
          'Use operator/inpaint with a mask that shows this entry.',
        );
      return experiment.sigmaY.map((sigmaY) => {
        if (sigmaY === 0) throw fail('sigmaY is the width of the windows, and it is 0.', 'Give a width above 0.');
        // A measurement that is too short is refused, with its name, where its problem is made.
        const centres = used.map((y) => y[place] ?? 0);
        return { operator: reference.label, sigmaY, truth: freeEnergyTruth(prior, options, centres, sigmaY) };
      });
    }),
  };
};

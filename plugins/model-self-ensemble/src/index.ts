import {
  asReference,
  type Image,
  type ModelFactory,
  mapPrediction,
  type PluginReference,
  repeatRows,
  type ScoreModel,
  tf,
} from '@tweedie/core';

export type SelfEnsembleOptions = { readonly model: string | PluginReference };

/** A symmetry of a picture: a quarter turn so many times, then a mirror image. */
type Symmetry = { readonly quarters: number; readonly mirrored: boolean };

const turned = (x: Image, quarters: number): Image => {
  const image = quarters % 2 === 1 ? (tf.transpose(x, [0, 2, 1, 3]) as Image) : x;
  const axes = [[], [1], [1, 2], [2]][quarters] ?? [];
  return axes.length === 0 ? image : (tf.reverse(image, axes) as Image);
};
const mirror = (x: Image): Image => tf.reverse(x, 2) as Image;
const applied = (x: Image, { quarters, mirrored }: Symmetry): Image =>
  mirrored ? mirror(turned(x, quarters)) : turned(x, quarters);
const undone = (x: Image, { quarters, mirrored }: Symmetry): Image =>
  turned(mirrored ? mirror(x) : x, (4 - quarters) % 4);

/** All eight of a square; those of other rectangles turn by half a turn alone. */
const symmetriesOf = (height: number, width: number): readonly Symmetry[] =>
  (height === width ? [0, 1, 2, 3] : [0, 2]).flatMap((quarters) =>
    [false, true].map((mirrored) => ({ quarters, mirrored })),
  );

/**
 * The geometric self-ensemble of another model: its predictions of the mirrored and turned state, mirrored and turned
 * back, averaged.
 *
 *   D(xt) = 1/|G| sum_g g^-1 D_model(g xt),    G the 8 symmetries of a square, 4 of any other picture
 *
 * for x0hat, epsilon and the fraction of the variance alike; x0hat and epsilon still make xt. Where mirrored and turned
 * pictures are as likely as they are, the exact denoiser is its own average, and the mean squared error of the average
 * is at most the mean of theirs (Jensen). A prior that knows up from down is another prior through it. One `predict`
 * costs |G| forwards of the model, a gradient as many vjps.
 */
export const selfEnsemble: ModelFactory<SelfEnsembleOptions> = async ({ model: reference }, { plugin }) => {
  const { mixture: _, covariance: __, sizes, ...model } = await plugin('model', asReference(reference));
  const averaged = (own: ScoreModel): ScoreModel => {
    const [height, width] = own.imageShape;
    const symmetries = symmetriesOf(height, width);
    const mean = (images: Image): Image =>
      (tf.split(images, symmetries.length, 0) as Image[])
        .map((image, i) => undone(image, symmetries[i] as Symmetry))
        .reduce((sum, image) => sum.add(image))
        .div(symmetries.length);
    return {
      ...own,
      predict(xt, level, condition) {
        const states = tf.concat(
          symmetries.map((symmetry) => applied(xt, symmetry)),
          0,
        ) as Image;
        return mapPrediction(own.predict(states, level, repeatRows(condition, symmetries.length)), mean);
      },
    };
  };
  if (sizes === undefined) return averaged(model);
  const all: NonNullable<ScoreModel['sizes']> = {
    multipleOf: sizes.multipleOf,
    forShape: (shape) => ({ ...averaged(sizes.forShape(shape)), sizes: all }),
  };
  return { ...averaged(model), sizes: all };
};

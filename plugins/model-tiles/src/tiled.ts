import {
  checkpointed,
  type Image,
  type ImageShape,
  type LevelTensors,
  modelForShape,
  type Prediction,
  reflected,
  repeatRows,
  type Scalar,
  type ScoreModel,
  tf,
} from '@tweedie/core';
import { type Axis, axisOf, strideOf, type Tiling, weightsOf } from './layout.ts';

/** What bounds memory. */
type Limits = {
  /** Pixels that go through the network at once, or one tile. */
  readonly group: number;
  /** Up to so many pixels a reverse pass keeps what the network computed on the way there. */
  readonly kept: number;
};
/** A network of 3.6 million weights takes some 4 kB for each pixel: 250 MB, and 1.6 GB. */
const LIMITS: Limits = { group: 2 ** 16, kept: 3 * 2 ** 17 };
/** Places of the grid a factor e of noise: neighbouring levels of a schedule have different ones. */
const PLACES = 64;
/** Above ln sigma of any level, so that places are counted from above 0. */
const LARGEST_LOG = 32;
/** The steps of a sequence that fills a square evenly (Roberts's R2): powers of the plastic number's inverse. */
const SHARES = [0.7548776662466927, 0.5698402909980532] as const;

/** The parts of a prediction side by side on the channel axis, and apart again. */
const joined = ({ x0hat, epsilon, varianceFraction }: Prediction): Image =>
  tf.concat([x0hat, epsilon, ...(varianceFraction ? [varianceFraction] : [])], 3);
const parted = (image: Image, channels: number): Prediction => {
  const [x0hat, epsilon, varianceFraction] = tf.split(image, image.shape[3] / channels, 3) as [Image, Image, Image?];
  return { x0hat, epsilon, ...(varianceFraction && { varianceFraction }) };
};

const product = (height: Float64Array, width: Float64Array): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: height.length * width.length }, (_, k) => {
      const row = Math.floor(k / width.length);
      return (height[row] ?? 0) * (width[k - row * width.length] ?? 0);
    }),
    [1, height.length, width.length, 1],
  );

/** An image of zeros with `part` in it. */
const placed = (part: Image, axis: 1 | 2, start: number, size: number): Image =>
  tf.pad(
    part,
    part.shape.map((n, i): [number, number] => (i === axis ? [start, size - start - n] : [0, 0])),
  ) as Image;

const sumOf = (images: readonly Image[]): Image => images.reduce((sum, image) => sum.add(image));

/** The part of an image along an axis that begins at a place known only when it runs. */
const from = (x: Image, axis: 1 | 2, start: tf.Tensor, size: number): Image =>
  tf.gather(x, tf.range(0, size, 1, 'int32').add(start).toInt(), axis) as Image;

/**
 * The place of the grid along an axis, in pixels, from the noise level alone. Whole numbers below 2^24 throughout, so
 * that every engine finds the same; only ln sigma is rounded, where two engines may differ once in a million levels.
 */
const offsetOf = ({ places }: Axis, share: number, multipleOf: number, sigma: Scalar): tf.Tensor => {
  const index = sigma.maximum(1e-12).log().add(LARGEST_LOG).mul(PLACES).round();
  const far = index.mul(strideOf(places, share));
  return far.sub(far.add(0.5).div(places).floor().mul(places)).mul(multipleOf);
};

/** A model of pictures of one shape, by tiles of `model`, which takes any size. */
export const tiledModel = (model: ScoreModel, shape: ImageShape, tiling: Tiling, limits = LIMITS): ScoreModel => {
  const [, , channels] = shape;
  const { multipleOf } = tiling;
  const axes = [axisOf(shape[0], tiling), axisOf(shape[1], tiling)] as const;
  const [rows, columns] = axes;
  const own = modelForShape(model, [rows.size, columns.size, channels]);
  if (rows.starts.length * columns.starts.length === 1) return own;
  const [rowWeights, columnWeights] = [weightsOf(rows), weightsOf(columns)];
  const places = rows.starts.flatMap((top, i) => columns.starts.map((left, j) => ({ top, left, i, j })));

  /** Predictions of all tiles of a window, each times its weights, in the order of `places`. */
  const tilesOf = (window: Image, predict: (tiles: Image) => Image): readonly Image[] => {
    const [batch] = window.shape;
    const pixels = rows.size * columns.size * batch;
    const group = Math.max(1, Math.floor(limits.group / pixels));
    const run = pixels * places.length > limits.kept ? checkpointed(predict) : predict;
    return Array.from({ length: Math.ceil(places.length / group) }, (_, g) =>
      places.slice(g * group, (g + 1) * group),
    ).flatMap((members) => {
      const tiles = members.map(({ top, left }) =>
        tf.slice(window, [0, top, left, 0], [-1, rows.size, columns.size, -1]),
      );
      const together = run(tf.concat(tiles, 0) as Image);
      // TensorFlow.js has no gradient of a split into one.
      const predicted = members.length === 1 ? [together] : (tf.split(together, members.length, 0) as Image[]);
      return members.map(({ i, j }, k) =>
        (predicted[k] as Image).mul(product(rowWeights[i] as Float64Array, columnWeights[j] as Float64Array)),
      );
    });
  };

  const blended = (window: Image, predict: (tiles: Image) => Image): Image => {
    const tiles = tilesOf(window, predict);
    const strips = rows.starts.map((_, i) =>
      sumOf(
        columns.starts.map((left, j) => placed(tiles[i * columns.starts.length + j] as Image, 2, left, columns.window)),
      ),
    );
    return sumOf(strips.map((strip, i) => placed(strip, 1, rows.starts[i] ?? 0, rows.window)));
  };

  /** The window that the grid covers, at the place of the level, and the picture cut out of it again. */
  const shifted = (xt: Image, level: LevelTensors, predict: (window: Image) => Image): Image => {
    const moving = axes.flatMap((axis, i) =>
      axis.places === 1
        ? []
        : [
            {
              axis,
              at: i === 0 ? (1 as const) : (2 as const),
              offset: offsetOf(axis, SHARES[i] ?? 0.5, multipleOf, level.sigma),
            },
          ],
    );
    const window = moving.reduce((x, { axis: { window, places }, at, offset }) => {
      const margin = (places - 1) * multipleOf;
      return from(reflected(x, at, margin, margin + window), at, tf.sub(margin, offset), window);
    }, xt);
    return moving.reduce((x, { axis: { length }, at, offset }) => from(x, at, offset, length), predict(window));
  };

  return {
    ...own,
    imageShape: shape,
    predict(xt, level, condition) {
      const predict = (tiles: Image): Image =>
        joined(own.predict(tiles, level, repeatRows(condition, tiles.shape[0] / xt.shape[0])));
      return parted(
        shifted(xt, level, (window) => blended(window, predict)),
        channels,
      );
    },
  };
};

import {
  ConfigError,
  type Image,
  type MetricContext,
  type MetricFactory,
  metricScale,
  refuseOtherShapes,
  showShape,
  type Tensor,
  tf,
} from '@tweedie/core';
import { readLpipsWeights } from './weights.ts';
import { distance } from './vgg.ts';

export interface LpipsOptions {
  /** A state dict of VGG16, with torchvision's names. */
  readonly weights: string;
  /** The weights of the five layers, where they are not in `weights`. */
  readonly linear?: string;
  /** The engine that computes it. */
  readonly engine: string;
  /** What is full scale; default: the range of the images, or else the spread of the clean images of the run. */
  readonly range?: readonly [low: number, high: number];
}

const name = 'metric/lpips';
/** Four poolings halve the image. */
const smallest = 16;

/**
 * Learned perceptual distance, per image, as the piq package computes it:
 *   sum over layers l of the mean over positions of sum_c w_lc (f_lc(a) / || f_l(a) || - f_lc(b) / || f_l(b) ||)^2
 * with f_l the states of VGG16 behind the last ReLU before each pooling, which averages, and w_l from `linear`; images
 * are mapped to 0 to 1 and normalised as VGG16 was trained. Two batches [B, H, W, 3] of one shape, or [B, H, W, 1],
 * seen as grey; sides of 16 at least. A pair of 256 x 256 costs 40 billion multiply-adds. Weights do not ship. Throws
 * ConfigError where a file is absent or not such weights, or images do not fit. Source: Zhang et al. 2018,
 * arXiv:1801.03924; averaging in place of maxima is piq's, and so its numbers are not those of the lpips package.
 */
export const lpips: MetricFactory<LpipsOptions> = async (
  { weights, linear, engine: id, range }: LpipsOptions,
  context: MetricContext,
) => {
  const { unit, scale } = metricScale(name, range, context);
  const network = await readLpipsWeights(weights, linear, context.files);
  const engine = await context.plugin('engine', { id });
  const compare = engine.compile((a: Image, b: Image): Tensor => distance(a, b, network));
  return {
    better: 'lower',
    scale,
    async compare(x, reference) {
      const [batch, height, width, channels] = x.shape;
      refuseOtherShapes(name, x, reference);
      if (Math.min(height, width) < smallest || (channels !== 1 && channels !== 3))
        throw new ConfigError(
          name,
          `images of ${showShape([height, width, channels])}: it takes 1 or 3 channels and sides of ${smallest} at least.`,
          'Leave out this metric.',
        );
      const [a, b] = await Promise.all([x.data(), reference.data()]);
      const size = height * width * channels;
      const rowOf = (data: ArrayLike<number>, row: number): Image =>
        tf.tidy(() => {
          const values = Float32Array.from({ length: size }, (_, k) => unit(data[row * size + k] ?? NaN));
          const image: Image = tf.tensor4d(values, [1, height, width, channels]);
          return channels === 3 ? image : (tf.tile(image as Tensor, [1, 1, 1, 3]) as Image);
        });
      const scores: number[] = [];
      for (let row = 0; row < batch; row++) {
        const pair = [rowOf(a, row), rowOf(b, row)] as const;
        const value = await compare(...pair);
        scores.push((await value.data())[0] ?? NaN);
        tf.dispose([...pair, value]);
      }
      return scores;
    },
  };
};

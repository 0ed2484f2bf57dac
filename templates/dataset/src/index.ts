import { ConfigError, type DatasetFactory, keyedRandom } from '@tweedie/core';

// Edit 1 of 3: the options. Names, ranges and defaults stand in plugin.json, by which they are checked beforehand.
export interface ExampleOptions {
  /** Height and width in pixels. */
  readonly size: number;
  /** Pictures in the set. */
  readonly count: number;
  readonly seed: number;
}

// Edit 2 of 3: what it is, in a sentence: shapes, order, names, what is read and kept, errors, source and licence.
/**
 * Smooth random pictures: in each a plane wave whose direction and length are drawn, and its phase once for each
 * channel:
 *
 *   x0[row, column, channel] = cos(2 pi ((down row + across column) / size + phase[channel])),   down, across ~ N(0, 1)
 *
 * [size, size, 3]. A picture is made from the seed and its index when it is asked for; nothing is kept. Throws
 * ConfigError for an index that is not there.
 */
export const example: DatasetFactory<ExampleOptions> = ({ size, count, seed }) => ({
  imageShape: [size, size, 3],
  size: count,
  // Edit 3 of 3: the pictures, in [-1, 1]. An index always gives the same name and numbers, in any order of asking.
  item: async (index) => {
    if (!Number.isInteger(index) || index < 0 || index >= count) {
      throw new ConfigError(
        'dataset/example',
        `there is no image ${index}, the set has ${count}.`,
        'Ask for fewer images, a smaller offset, or a larger count.',
      );
    }
    const random = keyedRandom(`dataset/example ${seed} ${index}`);
    const [down = 0, across = 0] = random.normal('waves', 2);
    const x0 = new Float32Array(size * size * 3);
    random.uniform('phase', 3).forEach((phase, channel) => {
      for (let pixel = 0; pixel < size * size; pixel++) {
        const [row, column] = [Math.floor(pixel / size), pixel % size];
        x0[3 * pixel + channel] = Math.cos(2 * Math.PI * ((down * row + across * column) / size + phase));
      }
    });
    return { name: `${seed}-${index}`, x0 };
  },
});

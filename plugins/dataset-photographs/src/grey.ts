import type { Dataset } from '@tweedie/core';

/** Shares of red, green and blue in luma (Rec. ITU-R BT.601). */
const SHARES = [0.299, 0.587, 0.114] as const;

/** A data set of colour pictures as grey ones. */
export function greyOf({ imageShape: [height, width], size, item }: Dataset): Dataset {
  const [red, green, blue] = SHARES;
  return {
    imageShape: [height, width, 1],
    size,
    async item(index) {
      const { name, x0 } = await item(index);
      return {
        name,
        x0: Float32Array.from(
          { length: x0.length / 3 },
          (_, i) => red * (x0[3 * i] ?? 0) + green * (x0[3 * i + 1] ?? 0) + blue * (x0[3 * i + 2] ?? 0),
        ),
      };
    },
  };
}

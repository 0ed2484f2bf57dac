/** One channel of a picture, row-major. */
export type Plane = { readonly values: Float64Array; readonly height: number; readonly width: number };

export const windowSize = 11;
const deviation = 1.5;

const gaussian = (() => {
  const taps = Float64Array.from({ length: windowSize }, (_, k) =>
    Math.exp(-((k - (windowSize - 1) / 2) ** 2) / (2 * deviation ** 2)),
  );
  const total = taps.reduce((sum, tap) => sum + tap, 0);
  return taps.map((tap) => tap / total);
})();

/**
 * Weighted mean in the Gaussian window at every place where it lies inside; the window is a product, so rows first,
 * then columns.
 */
export function blur({ values, height, width }: Plane): Plane {
  const outHeight = height - windowSize + 1;
  const outWidth = width - windowSize + 1;
  const rows = new Float64Array(height * outWidth);
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < outWidth; j++) rows[i * outWidth + j] = weighted(values, i * width + j, 1);
  }
  const out = new Float64Array(outHeight * outWidth);
  for (let k = 0; k < out.length; k++) out[k] = weighted(rows, k, outWidth);
  return { values: out, height: outHeight, width: outWidth };
}

function weighted(values: Float64Array, start: number, stride: number): number {
  let sum = 0;
  for (let k = 0; k < windowSize; k++) sum += (gaussian[k] ?? 0) * (values[start + k * stride] ?? NaN);
  return sum;
}

/** Means over factor x factor blocks; rows and columns that do not fill one are left out. */
export function averagePool(plane: Plane, factor: number): Plane {
  if (factor === 1) return plane;
  const height = Math.floor(plane.height / factor);
  const width = Math.floor(plane.width / factor);
  const values = new Float64Array(height * width);
  for (let i = 0; i < height * factor; i++) {
    for (let j = 0; j < width * factor; j++) {
      const k = Math.floor(i / factor) * width + Math.floor(j / factor);
      values[k] = (values[k] ?? 0) + (plane.values[i * plane.width + j] ?? NaN) / factor ** 2;
    }
  }
  return { values, height, width };
}

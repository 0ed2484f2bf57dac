import { checkpointed, type Image, sampleSum, type Tensor, tf, valueAndGrad } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { jit } from '../src/index.ts';
import { count, operations } from './operations.ts';

/** Four layers, wider inside than the image. */
const filters = [4, 32, 32, 32, 4].flatMap((inputs, i, widths) => {
  const outputs = widths[i + 1];
  return outputs === undefined ? [] : [tf.randomNormal([3, 3, inputs, outputs], 0, 0.1, 'float32', i) as tf.Tensor4D];
});
const layers = (x: Image): Tensor => filters.reduce<Image>((h, filter) => tf.conv2d(h, filter, 1, 1).tanh(), x);
const x: Image = tf.randomNormal([1, 8, 8, 4], 0, 1, 'float32', 2);
const gradientOf = (fn: typeof layers) => (point: Image) =>
  valueAndGrad((p) => [sampleSum(fn(p).square()), []], point).gradient;

/** How often the graph of a function computes an activation. */
const activations = (fn: (point: Image) => Tensor | Tensor[]): number => count(operations(fn, x), 'Tanh');

describe('a checkpointed function, compiled', () => {
  it('is computed a second time on the way back, which nothing merges with the first', () => {
    expect(activations(gradientOf(layers))).toBe(4);
    // The value of the sum is an output of its own; on the way back alone one computation would do.
    const both = (fn: typeof layers) => (point: Image) => {
      const { value, gradient } = valueAndGrad((p) => [sampleSum(fn(p).square()), []], point);
      return [value, gradient];
    };
    expect(activations(both(layers))).toBe(4);
    expect(activations(both(checkpointed(layers)))).toBe(8);
    // Forwards alone are one.
    expect(activations((point) => [checkpointed(layers)(point), layers(point)])).toBe(4);
  });

  it('is computed anew for every way back, so that nothing waits for the other', () => {
    const twoWays = (point: Image) => {
      const { gradient, aux, value } = valueAndGrad((p) => {
        const y = checkpointed(layers)(p);
        return [sampleSum(y), valueAndGrad(() => [sampleSum(y.square()), []], p).gradient];
      }, point);
      return [gradient, aux, value];
    };
    expect(activations(twoWays)).toBe(12);
  });

  it('has the same gradient', async () => {
    const [plain, twice] = [layers, checkpointed(layers)].map((fn) => jit(gradientOf(fn)));
    const [a, b] = [await plain!(x), await twice!(x)];
    expect(b.sub(a).abs().max().dataSync()[0]! / a.abs().max().dataSync()[0]!).toBeLessThan(1e-6);
    plain!.dispose();
    twice!.dispose();
  });

  it('takes the memory of one piece, however many a picture has', async () => {
    const side = 16;
    const peakOf = async (fn: typeof layers, pieces: number): Promise<number> => {
      const gradient = jit((point: Image) => {
        const each = (p: Image) =>
          Array.from({ length: pieces }, (_, i) => fn(tf.slice(p, [0, i * side, 0, 0], [-1, side, -1, -1]) as Image));
        // Every piece's gradient waits for all of them.
        return valueAndGrad((p) => [sampleSum(tf.concat(each(p), 1)).square(), []], point).gradient;
      });
      const wide: Image = tf.zeros([1, pieces * side, side, 4]);
      const { peakBytes = NaN } = await gradient.explain(wide);
      return peakBytes / wide.size / 4;
    };
    // In pictures, of which there are some whole ones: what is kept grows with the pieces, the rest does not.
    expect(await peakOf(layers, 32)).toBeGreaterThan(25);
    expect(await peakOf(checkpointed(layers), 32)).toBeLessThan(12);
  });
});

import { checkpointed, type Image, sampleSum, type Tensor, tf, valueAndGrad } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { reachable } from '../src/graph/graph.ts';
import { jit } from '../src/index.ts';
import { trace } from '../src/tracing/trace.ts';

const filter = tf.randomNormal([3, 3, 4, 4], 0, 0.3, 'float32', 1) as tf.Tensor4D;
const layers = (x: Image): Tensor =>
  Array.from({ length: 4 }).reduce<Image>((h) => tf.conv2d(h, filter, 1, 1).tanh(), x);
const x: Image = tf.randomNormal([1, 8, 8, 4], 0, 1, 'float32', 2);
const gradientOf = (fn: typeof layers) => (point: Image) =>
  valueAndGrad((p) => [sampleSum(fn(p).square()), []], point).gradient;

/** How often the graph of a function computes an activation. */
const activations = (fn: (point: Image) => Tensor | Tensor[]): number =>
  reachable(trace(fn, [x]).outputs).filter(({ source }) => source.kind === 'operation' && source.op === 'Tanh').length;

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

  it('has the same gradient', async () => {
    const [plain, twice] = [layers, checkpointed(layers)].map((fn) => jit(gradientOf(fn)));
    const [a, b] = [await plain!(x), await twice!(x)];
    expect(b.sub(a).abs().max().dataSync()[0]! / a.abs().max().dataSync()[0]!).toBeLessThan(1e-6);
    plain!.dispose();
    twice!.dispose();
  });
});

/** Wide 3 x 3 convolutions as matrix products over tiles: which, of which operations, and how exact. */
import { sizeOf, type Tensor, type TensorTree, tf } from '@tweedie/core';
import { afterAll, describe, expect, it } from 'vitest';
import { isFixed } from '../src/passes/fixed.ts';
import { jit } from '../src/index.ts';
import { finished } from '../src/passes/finish.ts';
import { trace } from '../src/tracing/trace.ts';
import { seeded } from './agreement.ts';
import { operations, tracedValues } from './operations.ts';

const random = seeded(5);
const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
const numbers = (shape: number[], scale = 1): tf.Tensor4D =>
  tf.tensor4d(
    Float32Array.from({ length: sizeOf(shape) }, () => scale * normal()),
    shape as [number, number, number, number],
  );
const filterOf = (inputs: number, outputs: number, size = 3): tf.Tensor4D =>
  numbers([size, size, inputs, outputs], 1 / Math.sqrt(9 * inputs));
type Options = {
  readonly filter?: tf.Tensor4D;
  readonly strides?: number;
  readonly pad?: number | 'valid';
  readonly dilations?: number;
};
const wide = filterOf(160, 160);
const conv =
  ({ filter = wide, strides = 1, pad = 1, dilations = 1 }: Options = {}) =>
  (x: Tensor): Tensor =>
    tf.conv2d(x as tf.Tensor4D, filter, strides, pad, 'NHWC', dilations);
const image = (size: number, channels = 160, batch = 1): tf.Tensor4D => numbers([batch, size, size, channels]);

/** What is computed in a call; a reshape is not. */
const computed = (fn: (x: Tensor) => TensorTree, x: Tensor): string[] =>
  tracedValues(fn, x).flatMap((value) =>
    value.source.kind === 'operation' && !isFixed(value) && value.source.op !== 'Reshape' ? [value.source.op] : [],
  );
const isWinograd = (fn: (x: Tensor) => TensorTree, x: Tensor): boolean => operations(fn, x).includes('WinogradFilter');

describe('wide 3 x 3 convolutions', () => {
  it('become matrix products over tiles', () => {
    expect(computed(conv(), image(32))).toEqual([
      'Transpose',
      'Conv',
      'Transpose',
      'MatMul',
      'MatMul',
      'DepthToSpace',
      'Transpose',
    ]);
  });

  it('are taken in strips where the image is large', () => {
    const ops = computed(conv(), image(128));
    expect(ops.filter((op) => op === 'Slice')).toHaveLength(2);
    expect(ops.filter((op) => op === 'Concat')).toHaveLength(1);
  });

  it('share one filter with their gradient, which is multiplied by it transposed', () => {
    const filter = filterOf(160, 192);
    const both = (x: Tensor): Tensor[] => Object.values(tf.valueAndGrad((z) => conv({ filter })(z).square().sum())(x));
    const values = tracedValues(both, image(32));
    const ofOp = (op: string) => values.filter(({ source }) => source.kind === 'operation' && source.op === op);
    const products = ofOp('FusedMatMul');
    expect(ofOp('WinogradFilter').map(({ shape }) => shape)).toEqual([[36, 192, 160]]);
    expect(products.map(({ shape }) => shape)).toEqual([[36, 160, 64]]);
    expect(products[0]?.source).toMatchObject({ inputs: [ofOp('WinogradFilter')[0], {}], attributes: { transA: 1 } });
  });

  it('of filters that differ do not share', () => {
    const [one, other] = [filterOf(160, 160), filterOf(160, 160)];
    const two = (x: Tensor): Tensor => conv({ filter: other })(conv({ filter: one })(x));
    expect(operations(two, image(32)).filter((op) => op === 'WinogradFilter')).toHaveLength(2);
    const parts = numbers([3, 3, 160, 320]);
    const halves = (x: Tensor): Tensor =>
      conv({ filter: parts.slice([0, 0, 0, 160]) as tf.Tensor4D })(
        conv({ filter: parts.slice([0, 0, 0, 0], [3, 3, 160, 160]) as tf.Tensor4D })(x),
      );
    expect(operations(halves, image(32)).filter((op) => op === 'WinogradFilter')).toHaveLength(2);
  });

  const others: [string, (x: Tensor) => Tensor, tf.Tensor4D][] = [
    ['few channels', conv({ filter: filterOf(64, 64) }), image(32, 64)],
    ['few tiles', conv(), image(16)],
    ['too many', conv(), image(132)],
    ['sides that no number of tiles covers', conv(), image(34)],
    ['strides', conv({ strides: 2 }), image(64)],
    ['gaps', conv({ dilations: 2, pad: 'valid' }), image(36)],
    ['other filters', conv({ filter: filterOf(160, 160, 5), pad: 2 }), image(32)],
  ];
  it.each(others)('but not with %s', (_, fn, x) => {
    expect(isWinograd(fn, x)).toBe(false);
  });

  it('nor where the filter is an argument, or in a file for other runtimes', () => {
    expect(
      operations((x: tf.Tensor4D, filter: tf.Tensor4D) => tf.conv2d(x, filter, 1, 1), image(32), wide),
    ).not.toContain('WinogradFilter');
    const outputs = finished(trace(conv(), [image(32)]).outputs, { activations: 'standard' });
    expect(outputs[0]?.source).toMatchObject({ op: 'Transpose', inputs: [{ source: { op: 'Conv' } }] });
  });
});

describe('their numbers', () => {
  // The backend of TensorFlow.js needs minutes for these; a filter that is an argument is convolved as ever.
  const plain = jit((x: Tensor, filter: Tensor, dy: Tensor) => valueAndGradient(x, filter, dy));
  const valueAndGradient = (x: Tensor, filter: Tensor, dy: Tensor, pad: number | 'valid' = 1) => ({
    ...tf.valueAndGrad((z) =>
      tf
        .conv2d(z as tf.Tensor4D, filter as tf.Tensor4D, 1, pad)
        .mul(dy)
        .sum(),
    )(x),
    image: tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1, pad),
  });
  afterAll(() => plain.dispose());

  const cases: [string, batch: number, size: number, inputs: number, outputs: number][] = [
    ['a small image', 1, 32, 256, 128],
    ['three images', 3, 32, 160, 192],
    ['strips', 1, 128, 160, 160],
  ];
  it.each(cases)(
    'are those of the convolution, and of its gradient, to 5e-6 of the largest: %s',
    async (_, batch, size, inputs, outputs) => {
      const [x, filter, dy] = [image(size, inputs, batch), filterOf(inputs, outputs), image(size, outputs, batch)];
      const fast = jit((z: Tensor, w: Tensor) => valueAndGradient(z, filter, w));
      const [actual, expected] = [await fast(x, dy), await plain(x, filter, dy)];
      fast.dispose();
      for (const name of ['image', 'grad'] as const) {
        const error = actual[name]
          .sub(expected[name])
          .abs()
          .max()
          .div(expected[name].abs().max())
          .dataSync()[0] as number;
        expect(error).toBeGreaterThan(0);
        expect(error).toBeLessThan(5e-6);
      }
    },
  );

  it.each([1, 2])('of an image do not depend on its place in the batch, with %i threads', async (threads) => {
    const x = image(32);
    const compiled = jit(conv(), { threads });
    const [first, ...rest] = tf.unstack(await compiled(tf.concat([x, x, x]))).map((y) => y.dataSync());
    compiled.dispose();
    for (const other of rest) expect(other).toEqual(first);
  });
});

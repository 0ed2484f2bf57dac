/** Convolutions in blocks of channels where the filter is no constant: which, their numbers, and the order itself. */
import { sizeOf, type Tensor, tf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { createGraph } from '../src/graph/create-graph.ts';
import { filterOf, inBlocks } from '../src/graph/filter.ts';
import { reachable } from '../src/graph/graph.ts';
import { finished } from '../src/passes/finish.ts';
import { blockWidth } from '../src/session/block-width.ts';
import { encode } from '../src/session/encode.ts';
import { createSession } from '../src/session/session.ts';
import { trace } from '../src/tracing/trace.ts';
import { draws, expectAgreement } from './agreement.ts';
import { count, namesOf } from './operations.ts';

const { tensor, withGradients } = draws(31);
type Options = readonly [strides: number, pad: number | 'same' | 'valid', dilations?: number];
const conv =
  (strides: number, pad: number | 'same' | 'valid', dilations = 1) =>
  (x: Tensor, filter: Tensor): Tensor =>
    tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, strides, pad, 'NHWC', dilations);

describe('convolutions in blocks', () => {
  const opsOf = (fn: (...args: never[]) => Tensor | Tensor[], args: Tensor[], width: number): string[] =>
    namesOf(reachable(finished(trace(fn, args).outputs, { blockWidth: width })));
  const [x, filter] = [tensor([2, 5, 6, 16]), tensor([3, 3, 16, 32])];

  it('are those with filters that are no constants and come in whole blocks', () => {
    const blocks = (fn: (...args: never[]) => Tensor, args: Tensor[], width = 16): number =>
      count(opsOf(fn, args, width), 'BlockedConv');
    expect(blocks(conv(1, 'same'), [x, filter])).toBe(1);
    expect(blocks(conv(1, 'same'), [x, filter], 1)).toBe(0);
    expect(blocks((z: Tensor) => conv(1, 'same')(z, filter), [x])).toBe(0);
    const narrow = tensor([3, 3, 16, 24]);
    expect(blocks(conv(1, 'same'), [x, narrow])).toBe(0);
    expect(blocks(conv(1, 'same'), [x, narrow], 8)).toBe(1);
  });

  it('share one filter in blocks', () => {
    const twice = (z: Tensor, f: Tensor): Tensor[] => [conv(1, 'same')(z, f), conv(1, 'same')(z.neg(), f)];
    const ops = opsOf(twice, [x, filter], 16);
    expect(count(ops, 'BlockedConv')).toBe(2);
    expect(count(ops, 'ReorderInput')).toBe(2);
    expect(count(ops, 'Transpose')).toBe(count(opsOf(conv(1, 'same'), [x, filter], 16), 'Transpose') + 2);
  });

  // All widths that there are divide 16.
  it.each<[number, number, number, Options]>([
    [3, 16, 32, [1, 'same']],
    [3, 32, 16, [1, 'valid']],
    [3, 16, 16, [2, 'same']],
    [2, 16, 16, [1, 'same']],
    [1, 48, 16, [1, 'valid']],
    [5, 16, 16, [1, 1]],
  ])('agree with the cpu backend, gradients too: size %i, %i to %i channels, %j', async (size, inputs, outputs, by) => {
    await withGradients(conv(...by), [tensor([2, 7, 6, inputs]), tensor([size, size, inputs, outputs])], 2e-5);
  });

  it('agree where they are dilated, or taken of a filter that is computed', async () => {
    await expectAgreement(conv(1, 'same', 2), [x, filter]);
    await expectAgreement((z: Tensor, f: Tensor) => conv(1, 'same')(z, f.mul(2).tanh()), [x, filter]);
  });
});

describe('a filter in blocks', () => {
  it.each([
    [8, false],
    [8, true],
    [16, false],
    [16, true],
  ])('of %i channels, turned: %s, has each number in its place', async (width, turned) => {
    const [height, across, inputs, outputs] = [3, 2, 32, 48];
    const graph = createGraph(false);
    const type = { shape: [height, across, inputs, outputs], dtype: 'float32' } as const;
    const input = graph.input('filter', type);
    const filter = filterOf(graph, input, turned);
    if (filter.source.kind !== 'operation') throw new Error('a filter is an operation');
    const ordered = inBlocks(graph, filter.shape, filter.source, width);
    const session = await createSession(encode({ inputs: [input], outputs: [ordered] }), {});
    const data = Float32Array.from({ length: sizeOf(type.shape) }, (_, i) => i);
    const [result] = await session.run({ filter: { ...type, data } });
    session.dispose();
    const [to = 0, from = 0] = filter.shape;
    const expected: number[] = [];
    for (let a = 0; a < to; a += width)
      for (let b = 0; b < from; b += width)
        for (let row = 0; row < height; row++)
          for (let column = 0; column < across; column++)
            for (let ofB = b; ofB < b + width; ofB++)
              for (let ofA = a; ofA < a + width; ofA++) {
                const [tap, pair] = turned
                  ? [(height - 1 - row) * across + across - 1 - column, ofA * outputs + ofB]
                  : [row * across + column, ofB * outputs + ofA];
                expected.push(tap * inputs * outputs + pair);
              }
    expect(Array.from(result?.data ?? [])).toEqual(expected);
  });
});

describe('the width of a block', () => {
  it('is asked of ONNX Runtime, and 1 where it computes elsewhere', async () => {
    expect([1, 8, 16]).toContain(await blockWidth());
    expect(await blockWidth('cuda')).toBe(1);
  });
});

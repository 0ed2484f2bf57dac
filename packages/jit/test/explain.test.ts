import { type Image, type Tensor, tf } from '@tweedie/core';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { jit, show } from '../src/index.ts';
import { draws } from './agreement.ts';

const { tensor } = draws(4);
const filter = tensor([3, 3, 8, 8]) as tf.Tensor4D;
const lines = readFileSync(fileURLToPath(import.meta.url), 'utf8').split('\n');
const lineOf = (text: string): string =>
  `packages/jit/test/explain.test.ts:${lines.findIndex((line) => line.includes(text)) + 1}`;

const network = (x: Tensor): Tensor => {
  const deep = tf.conv2d(x as Image, filter, 1, 'same');
  const normal = standard(deep);
  return normal.mul(normal.sigmoid()).sum();
};
/** Divides by the size of the numbers, a constant for its own gradient, which is written out. */
const standard = tf.customGrad((x) => {
  const size = (x as Tensor).square().mean().sqrt();
  return { value: (x as Tensor).div(size), gradFunc: (dy: Tensor) => dy.mul(3) };
});

describe('explain', () => {
  const x = tensor([2, 16, 16, 8]);
  const compiled = jit((v: Tensor) => tf.grad(network)(v));

  it('counts operations, work and memory', async () => {
    const explanation = await compiled.explain(x);
    const convolution = 2 * 2 * 16 * 16 * 8 * 3 * 3 * 8;
    expect(explanation.flops).toBeGreaterThan(2 * convolution);
    expect(explanation.flops).toBeLessThan(2.2 * convolution);
    expect(explanation.constantBytes).toBeGreaterThanOrEqual(2 * 4 * 3 * 3 * 8 * 8);
    expect(explanation.movedBytes).toBeGreaterThan(4 * x.size * 4);
    expect(explanation.peakBytes).toBeGreaterThan(4 * x.size);
    expect(explanation.nodes).toBeGreaterThan(8);
    expect(explanation.milliseconds).toBeGreaterThan(0);
  });

  it('sums time and work by line: forward, gradient of a line, and a gradient that has lines of its own', async () => {
    const { rows } = await compiled.explain(x);
    const at = (source: string): string[] =>
      rows.filter((row) => row.source === source && row.nodes > 0).map(({ op }) => op);
    expect(at(lineOf('tf.conv2d('))).toContain('Conv2D');
    expect(at(`gradient of ${lineOf('tf.conv2d(')}`)).toContain('Conv2DBackpropInput');
    expect(at(`gradient of ${lineOf('normal.sigmoid(')}`).length).toBeGreaterThan(0);
    expect(at(lineOf('dy.mul(3)'))).toContain('Multiply');
    expect(rows.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 6);
    expect(rows.map(({ milliseconds }) => milliseconds)).toEqual(
      rows.map(({ milliseconds }) => milliseconds).sort((a, b) => b - a),
    );
  });

  it('leaves cost, compilations and tensors as they are', async () => {
    const before = tf.memory().numTensors;
    await compiled.explain(x);
    expect(tf.memory().numTensors).toBe(before);
    expect([compiled.cost.forwards, compiled.compilations]).toEqual([0, 0]);
    // The tape of TensorFlow.js is its own again.
    expect(Object.keys(tf.engine())).toContain('state');
    expect(
      Array.from(
        tf
          .grad((v) => v.square().sum())(tf.tensor1d([1, 2]))
          .dataSync(),
      ),
    ).toEqual([2, 4]);
  });

  it('is shown as a table, the slowest rows first', () => {
    const rows = [
      { source: 'a.ts:1', op: 'Conv2D', nodes: 1, flops: 2e9, milliseconds: 30, share: 0.75 },
      { source: '', op: 'ReorderInput', nodes: 2, flops: 0, milliseconds: 6, share: 0.15 },
      { source: 'gradient of a.ts:2', op: 'Multiply', nodes: 3, flops: 0, milliseconds: 4, share: 0.1 },
    ];
    expect(
      show(
        {
          nodes: 6,
          flops: 2e9,
          constantBytes: 2 ** 20,
          movedBytes: 2 ** 22,
          peakBytes: 2 ** 21,
          milliseconds: 40,
          rows,
        },
        2,
      ),
    ).toBe(
      [
        '6 operations, 2.000 GFLOP, 1.0 MB of constants; intermediate results 4.0 MB read and written, 2.0 MB at once; 40.00 ms a call',
        '',
        '   ms   share  GFLOP  nodes  operation     line',
        '30.00  75.0 %  2.000      1  Conv2D        a.ts:1',
        ' 6.00  15.0 %  0.000      2  ReorderInput',
        ' 4.00  10.0 %                1 more',
      ].join('\n'),
    );
  });
});

import { type Tensor, tf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { mixtureInputs, mixtureStep } from './mixture.ts';
import { finished } from '../src/passes/finish.ts';
import { trace } from '../src/tracing/trace.ts';
import { largestWork, SHARED_FROM } from '../src/graph/work.ts';

const largest = (fn: (x: Tensor) => Tensor, shape: number[]): number =>
  largestWork(finished(trace(fn, [tf.zeros(shape)]).outputs));

describe('the largest operation of a graph', () => {
  it('counts multiply-adds', () => {
    const matrix = tf.randomNormal([64, 32]);
    const filter = tf.randomNormal([3, 3, 4, 8]) as tf.Tensor4D;
    expect(largest((x) => x.matMul(matrix).neg(), [100, 64])).toBe(100 * 64 * 32);
    expect(largest((x) => tf.conv2d(x as tf.Tensor4D, filter, 1, 'same'), [2, 16, 16, 4])).toBe(
      2 * 16 * 16 * 9 * 4 * 8,
    );
    expect(largest((x) => tf.conv2dTranspose(x as tf.Tensor4D, filter, [2, 16, 16, 4], 2, 'same'), [2, 8, 8, 8])).toBe(
      2 * 8 * 8 * 9 * 4 * 8,
    );
  });

  it('is too small for threads in a step on a thousand points, and is not for ten thousand', () => {
    const of = (rows: number): number => {
      const { xt, y, noise } = mixtureInputs(rows);
      const step = { signal: 0.7, std: 0.3, alphaBar: 0.49 };
      return largestWork(finished(trace(mixtureStep(), [xt, y, noise, step, 1]).outputs));
    };
    expect(of(1000)).toBeLessThan(SHARED_FROM);
    expect(of(10000)).toBeGreaterThan(SHARED_FROM);
  });
});

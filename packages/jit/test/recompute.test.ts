import { type Image, type Tensor, tf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { createGraph, type Graph, reachable, sizeOf, type Value } from '../src/graph.ts';
import { add, matmul, mul, table, unary } from '../src/ops.ts';
import { rematerialized } from '../src/recompute.ts';
import { depthsOf } from '../src/schedule.ts';
import { draws, expectAgreement } from './agreement.ts';
import { trace } from '../src/trace.ts';

const [rows, columns, layers] = [64, 64, 12];

/** Large results that are used both near where they are made and far below: kept from the forward to the reverse pass. */
function kept(values: readonly Value[]): Value[] {
  const depths = depthsOf(values);
  const distances = new Map<Value, number[]>();
  for (const value of values) {
    if (value.source.kind !== 'operation') continue;
    for (const input of value.source.inputs) distances.set(input, [...(distances.get(input) ?? []), depths.get(value)! - depths.get(input)!]);
  }
  const isKept = (list: readonly number[]): boolean => list.some((n) => n <= 24) && list.some((n) => n > 24);
  return [...distances].flatMap(([value, list]) => (value.source.kind === 'operation' && sizeOf(value.shape) >= 4096 && isKept(list) ? [value] : []));
}

/** Layers of h = W scale(h), the scale an exponential, and the way back, which needs it; `reuse` needs what it was made of too. */
function network(g: Graph, reuse: boolean): Value {
  const weights = table(g, Array.from({ length: columns * columns }, (_, i) => Math.sin(i)), 'float32', [columns, columns]);
  const input = g.input('in0', { shape: [rows, columns], dtype: 'float32' });
  const passes: { h: Value; scaled: Value }[] = [];
  let h = matmul(g, input, weights);
  for (let layer = 0; layer < layers; layer++) {
    const scaled = unary(g, 'Exp', h);
    passes.push({ h, scaled });
    h = matmul(g, scaled, weights);
  }
  return passes.reduceRight((dy, pass) => {
    const dx = mul(g, matmul(g, dy, weights), pass.scaled);
    return reuse ? add(g, dx, pass.h) : dx;
  }, h);
}

describe('recomputation', () => {
  it('keeps of each layer what it was made of, and makes the rest again', () => {
    const g = createGraph();
    const outputs = [network(g, true)];
    const before = kept(reachable(outputs));
    const after = kept(reachable(rematerialized(createGraph(), outputs, 0)));
    const exponentials = (values: Value[]): number => values.filter(({ source }) => source.kind === 'operation' && source.op === 'Exp').length;
    expect(exponentials(before)).toBeGreaterThan(layers / 3);
    expect(exponentials(after)).toBe(0);
    expect(after.length).toBeLessThan(before.length * 0.6);
  });

  it('leaves everything where little memory is at stake', () => {
    const outputs = [network(createGraph(), true)];
    expect(rematerialized(createGraph(), outputs)).toEqual(outputs);
  });

  it('leaves a value alone whose inputs are not kept: it would keep them instead', () => {
    const g = createGraph();
    const outputs = [network(g, false)];
    const after = rematerialized(createGraph(), outputs, 0);
    expect(reachable(after).length).toBe(reachable(outputs).length);
    expect(kept(reachable(after)).length).toBe(kept(reachable(outputs)).length);
  });

  it('is done with quickly where every value is used twice on the way', () => {
    const g = createGraph();
    const input = matmul(g, g.input('in0', { shape: [64, 64], dtype: 'float32' }), g.input('in1', { shape: [64, 64], dtype: 'float32' }));
    let value = input;
    for (let i = 0; i < 60; i++) value = add(g, unary(g, 'Tanh', value), value);
    let deep = value;
    for (let i = 0; i < 30; i++) deep = matmul(g, deep, input);
    expect(rematerialized(createGraph(), [add(g, deep, value)])).toHaveLength(1);
  });

  it('changes no number of a network and its gradient', async () => {
    const { tensor } = draws(6);
    const filters = Array.from({ length: 6 }, () => tensor([3, 3, 8, 8], -0.2, 0.2) as tf.Tensor4D);
    const norm = (x: Image): Image => x.sub<Image>(x.mean([1, 2], true)).div(x.square().mean([1, 2], true).add(0.1).sqrt());
    const layer = (x: Tensor, filter: tf.Tensor4D): Image => {
      const y = norm(x as Image);
      return tf.conv2d(y.mul(y.sigmoid()) as Image, filter, 1, 'same').add(x);
    };
    const fn = (x: Tensor): Tensor => tf.grad((z) => filters.reduce((h, filter) => layer(h, filter), z as Image).square().sum())(x);
    const x = tensor([1, 24, 24, 8]);
    const operations = (recomputeFrom?: number): number => reachable(trace(fn, [x], { recomputeFrom }).outputs).length;
    expect(operations(0)).toBeGreaterThan(operations() + filters.length / 2);
    await expectAgreement(fn, [x], 1e-4, { recomputeFrom: 0 });
  });
});

import { describe, expect, it } from 'vitest';
import { encode } from '../src/session/encode.ts';
import { createGraph } from '../src/graph/create-graph.ts';
import { type Graph, reachable, sizeOf, type Value } from '../src/graph/graph.ts';
import { add, matmul, mul, table, unary } from '../src/graph/ops.ts';
import { rematerialized } from '../src/passes/recompute.ts';
import { depthsOf } from '../src/passes/schedule.ts';
import { createSession } from '../src/session/session.ts';

const [rows, columns, layers] = [64, 64, 12];

/**
 * Large results that are used both near where they are made and far below: kept from the forward to the reverse pass.
 */
function kept(values: readonly Value[]): Value[] {
  const depths = depthsOf(values);
  const distances = new Map<Value, number[]>();
  for (const value of values) {
    if (value.source.kind !== 'operation') continue;
    for (const input of value.source.inputs)
      distances.set(input, [...(distances.get(input) ?? []), depths.get(value)! - depths.get(input)!]);
  }
  const isKept = (list: readonly number[]): boolean => list.some((n) => n <= 24) && list.some((n) => n > 24);
  return [...distances].flatMap(([value, list]) =>
    value.source.kind === 'operation' && sizeOf(value.shape) >= 4096 && isKept(list) ? [value] : [],
  );
}

/**
 * Layers of h = W scale(h), the scale a hyperbolic tangent, and the way back, which needs it; `reuse` needs what it was
 * made of too.
 */
function network(g: Graph, reuse: boolean): Value {
  return networks(g, reuse, 1)[0] as Value;
}

/** The same with as many ways back through one forward pass. */
function networks(g: Graph, reuse: boolean, gradients: number): Value[] {
  const weights = table(
    g,
    Array.from({ length: columns * columns }, (_, i) => Math.sin(i)),
    'float32',
    [columns, columns],
  );
  const input = g.input('in0', { shape: [rows, columns], dtype: 'float32' });
  const passes: { h: Value; scaled: Value }[] = [];
  let h = matmul(g, input, weights);
  for (let layer = 0; layer < layers; layer++) {
    const scaled = unary(g, 'Tanh', h);
    passes.push({ h, scaled });
    h = matmul(g, scaled, weights);
  }
  return Array.from({ length: gradients }, (_, i) =>
    passes.reduceRight(
      (dy, pass) => {
        const dx = mul(g, matmul(g, dy, weights), pass.scaled);
        return reuse ? add(g, dx, pass.h) : dx;
      },
      i === 0 ? h : unary(g, 'Neg', h),
    ),
  );
}

describe('recomputation', () => {
  it('keeps of each layer what it was made of, and makes the rest again', () => {
    const g = createGraph();
    const outputs = [network(g, true)];
    const before = kept(reachable(outputs));
    const after = kept(reachable(rematerialized(createGraph(), outputs, 0)));
    const tangents = (values: Value[]): number =>
      values.filter(({ source }) => source.kind === 'operation' && source.op === 'Tanh').length;
    expect(tangents(before)).toBeGreaterThan(layers / 3);
    expect(tangents(after)).toBe(0);
    expect(after.length).toBeLessThan(before.length * 0.6);
  });

  it('leaves a value alone whose inputs are not kept: it would keep them instead', () => {
    const g = createGraph();
    const outputs = [network(g, false)];
    const after = rematerialized(createGraph(), outputs, 0);
    expect(reachable(after).length).toBe(reachable(outputs).length);
    expect(kept(reachable(after)).length).toBe(kept(reachable(outputs)).length);
  });

  it('is done anew for each of two gradients, which are computed one after the other', () => {
    const tangents = (gradients: number): number =>
      reachable(rematerialized(createGraph(), networks(createGraph(), true, gradients), 0, layers)).filter(
        ({ source }) => source.kind === 'operation' && source.op === 'Tanh',
      ).length;
    const again = tangents(1) - layers;
    expect(again).toBeGreaterThan(layers / 3);
    expect(tangents(2)).toBe(layers + 2 * again);
  });

  it('is done with quickly where every value is used twice on the way', () => {
    const g = createGraph();
    const input = matmul(
      g,
      g.input('in0', { shape: [64, 64], dtype: 'float32' }),
      g.input('in1', { shape: [64, 64], dtype: 'float32' }),
    );
    let value = input;
    for (let i = 0; i < 60; i++) value = add(g, unary(g, 'Tanh', value), value);
    let deep = value;
    for (let i = 0; i < 30; i++) deep = matmul(g, deep, input);
    expect(rematerialized(createGraph(), [add(g, deep, value)], 0)).toHaveLength(1);
  });

  it('changes no number', async () => {
    const g = createGraph();
    const outputs = [network(g, true)];
    const inputs = reachable(outputs).filter(({ source }) => source.kind === 'input');
    const again = rematerialized(createGraph(), outputs, 0);
    expect(again).not.toEqual(outputs);
    const feeds = {
      in0: {
        data: Float32Array.from({ length: rows * columns }, (_, i) => Math.cos(i)),
        shape: [rows, columns],
        dtype: 'float32' as const,
      },
    };
    const [kept, repeated] = await Promise.all(
      [outputs, again].map(async (made) =>
        (await createSession(encode({ inputs, outputs: made }), { threads: 1 })).run(feeds),
      ),
    );
    expect(repeated).toEqual(kept);
  });

  it('is not done where little memory would be saved', () => {
    const outputs = [network(createGraph(), true)];
    expect(rematerialized(createGraph(), outputs)).toEqual(outputs);
  });
});

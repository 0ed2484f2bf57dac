import { describe, expect, it } from 'vitest';
import { createGraph } from '../src/graph/create-graph.ts';
import { add, unary } from '../src/graph/ops.ts';
import { depthsOf, scheduled } from '../src/passes/schedule.ts';

describe('the order of operations', () => {
  const g = createGraph();
  const input = g.input('in0', { shape: [3], dtype: 'float32' });
  const deep = ['Exp', 'Tanh', 'Ceil'].reduce((x, op) => unary(g, op, x), input);
  const shallow = unary(g, 'Abs', input);
  const sum = add(g, deep, shallow);
  const order = scheduled([sum]);

  it('is by depth: of two operands the deep one stands last, and ONNX Runtime begins with it', () => {
    expect(order.indexOf(shallow)).toBeLessThan(order.indexOf(deep));
    expect(order.at(-1)).toBe(sum);
    expect(depthsOf(order).get(sum)).toBe(4);
  });

  it('has every operand before its use', () => {
    for (const value of order)
      if (value.source.kind === 'operation')
        for (const operand of value.source.inputs) expect(order.indexOf(operand)).toBeLessThan(order.indexOf(value));
  });

  it('ends at leaves', () => {
    expect(new Set(scheduled([sum], (value) => value === deep))).toEqual(new Set([input, deep, shallow, sum]));
  });
});

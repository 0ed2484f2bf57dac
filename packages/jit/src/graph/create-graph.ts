/**
 * Makes a graph. The same operation on the same values is made once (hash-consing): two gradients of one network hold
 * one forward pass; and what an operation simplifies to is made in its place.
 */
import { AGAIN } from '@tweedie/core';
import type { Data, Graph, Value } from './graph.ts';
import { simplify } from './simplify.ts';

const bytes = (data: Data): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
const isUniform = (data: Data): boolean => data.length > 0 && data.every((x) => Object.is(x, data[0]));

/** Ids are unique in the process, so that values of two graphs can stand in one list. */
let count = 0;

/** With `share`, the same operation on the same values is made once; `AGAIN` is not: it is there to be another. */
export function createGraph(share = true): Graph {
  const operations = new Map<string, Value>();
  const constants = new Map<string, Value[]>();

  const graph: Graph = {
    at: undefined,

    input: (name, { shape, dtype }) => ({ id: count++, shape: [...shape], dtype, source: { kind: 'input', name } }),

    constant(data, { shape, dtype }) {
      const uniform = isUniform(data);
      const kept = uniform ? data.slice(0, 1) : data;
      const key = `${dtype} ${shape.join()} ${uniform}`;
      const alike = constants.get(key) ?? [];
      const known = alike.find(
        ({ source }) => source.kind === 'constant' && Buffer.compare(bytes(source.data), bytes(kept)) === 0,
      );
      if (known !== undefined) return known;
      const value: Value = { id: count++, shape: [...shape], dtype, source: { kind: 'constant', data: kept, uniform } };
      constants.set(key, [...alike, value]);
      return value;
    },

    operation(op, inputs, type, attributes = {}) {
      const simpler = simplify(graph, op, inputs, type, attributes);
      if (simpler !== undefined) return simpler;
      const key = `${op} ${inputs.map((x) => x.id).join()} ${type.dtype} ${type.shape.join()} ${JSON.stringify(attributes)}`;
      const known = share && op !== AGAIN ? operations.get(key) : undefined;
      if (known !== undefined) return known;
      const value = graph.copy(op, inputs, type, attributes);
      operations.set(key, value);
      return value;
    },

    copy: (op, inputs, { shape, dtype }, attributes = {}) => ({
      id: count++,
      shape: [...shape],
      dtype,
      at: graph.at,
      source: { kind: 'operation', op, inputs, attributes },
    }),
  };
  return graph;
}

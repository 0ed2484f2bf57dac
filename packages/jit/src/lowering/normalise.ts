/** Normalisation by statistics that are given, and by neighbouring channels. */
import type { Graph, Value } from '../graph/graph.ts';
import { add, binary, div, fill, matmul, mul, sub, table, unary } from '../graph/ops.ts';
import type { KernelAttributes, Lowerings } from './lowering.ts';

/**
 * bias + alpha * the sum of squares over the channels within `depthRadius`, computed as a product with a band of ones.
 */
function localNorm(g: Graph, x: Value, { depthRadius = 5, bias = 1, alpha = 1 }: KernelAttributes): Value {
  return add(g, mul(g, neighbours(g, mul(g, x, x), depthRadius), fill(g, alpha, 'float32')), fill(g, bias, 'float32'));
}

function neighbours(g: Graph, x: Value, radius: number): Value {
  const channels = x.shape.at(-1) ?? 1;
  const band = Array.from({ length: channels * channels }, (_, i) =>
    Math.abs(Math.floor(i / channels) - (i % channels)) <= radius ? 1 : 0,
  );
  return matmul(g, x, table(g, band, 'float32', [channels, channels]));
}

const power = (g: Graph, x: Value, exponent: number): Value => binary(g, 'Pow', x, fill(g, exponent, 'float32'));

export const normalisations: Lowerings = {
  FusedBatchNorm(g, { x, mean, variance, scale, offset }, { varianceEpsilon = 0.001 }) {
    const deviation = unary(g, 'Sqrt', add(g, variance, fill(g, varianceEpsilon, 'float32')));
    const normal = mul(g, sub(g, x, mean), div(g, scale ?? fill(g, 1, 'float32'), deviation));
    return offset === undefined ? normal : add(g, normal, offset);
  },
  LRN: (g, { x }, attributes) => mul(g, x, power(g, localNorm(g, x, attributes), -(attributes.beta ?? 0.5))),
  LRNGrad(g, { x, y, dy }, attributes) {
    const { alpha = 1, beta = 0.5, depthRadius = 5 } = attributes;
    const norm = localNorm(g, x, attributes);
    const shared = neighbours(g, div(g, mul(g, dy, y), norm), depthRadius);
    return sub(g, mul(g, dy, power(g, norm, -beta)), mul(g, fill(g, 2 * alpha * beta, 'float32'), mul(g, x, shared)));
  },
};

/** Images stay [batch, ...space, channels] in user code; ONNX wants [batch, channels, ...space]. ONNX Runtime cancels transposes that meet. */
import type { Graph, Value } from '../graph.ts';
import { transpose } from '../ops.ts';
import type { KernelAttributes } from './lowering.ts';

/** The axes from 1 to before `rank`. */
const inner = (rank: number): number[] => Array.from({ length: rank - 1 }, (_, i) => i + 1);

export const planar = (g: Graph, x: Value): Value => {
  const rank = x.shape.length;
  return transpose(g, x, [0, rank - 1, ...inner(rank - 1)]);
};
export const interleaved = (g: Graph, x: Value): Value => transpose(g, x, [0, ...inner(x.shape.length).map((axis) => (axis % (x.shape.length - 1)) + 1)]);

export function refusePlanar({ dataFormat }: KernelAttributes): void {
  if (dataFormat === 'NCHW') throw new Error('jit: images are [batch, height, width, channels] here (NHWC), got NCHW.');
}

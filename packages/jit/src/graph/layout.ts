/**
 * One layout for images. User code is interleaved, [batch, height, width, channels]; ONNX Runtime convolves planar
 * images, [batch, channels, height, width]. A convolution ends in a transpose back to interleaved, and here that
 * transpose moves past what comes next, until it meets the one in front of the next convolution and both vanish:
 * everything between two convolutions runs planar.
 */
import { at } from '@tweedie/core';
import { type Attributes, elements, type Graph, sameShape, sizeOf, type Type, type Value } from './graph.ts';
import { concat, ints, matmul, fill, reshape, transpose } from './ops.ts';

/** Axis `a` of an interleaved image is axis INTERLEAVE[a] of the planar one. */
const INTERLEAVE = [0, 2, 3, 1];
const PLANAR = [0, 3, 1, 2];
const planarAxis = (axis: number): number => at(INTERLEAVE, axis, 'axis');

const space = ({ shape }: Value): number[] => shape.slice(2).map((_, axis) => axis + 1);

/** Transposes images, or volumes: [batch, ...space, channels] becomes [batch, channels, ...space]. */
export const planar = (g: Graph, x: Value): Value => transpose(g, x, [0, x.shape.length - 1, ...space(x)]);
export const interleaved = (g: Graph, x: Value): Value => transpose(g, x, [0, ...space(x).map((axis) => axis + 1), 1]);

const isInterleaved = ({ source }: Value): boolean =>
  source.kind === 'operation' && source.op === 'Transpose' && String(source.attributes['perm']) === String(INTERLEAVE);

/** Does `work` on the axes of space, which begin at `first`, in whichever layout the image is computed in. */
export const inItsLayout = (g: Graph, x: Value, work: (x: Value, first: number) => Value): Value =>
  isInterleaved(x) ? interleaved(g, work(planar(g, x), 2)) : work(x, 1);

/** Puts a list with an entry for each axis of an interleaved image into the order of the planar image's axes. */
const planarList = <T>(list: readonly T[]): T[] => PLANAR.map((axis) => list[axis] as T);
const numbers = (x: Value | undefined): number[] =>
  x === undefined ? [] : Array.from(elements(x) as BigInt64Array, Number);

/** An operand of elementwise work, planar; what has fewer axes is broadcast from the left. */
function planarOperand(g: Graph, x: Value): Value {
  if (sizeOf(x.shape) === 1) return reshape(g, x, []);
  return planar(g, reshape(g, x, [...Array<number>(4 - x.shape.length).fill(1), ...x.shape]));
}

/** Elementwise work on an interleaved view of a planar image, done on the planar one. */
export function elementwiseLayout(
  g: Graph,
  op: string,
  inputs: readonly Value[],
  { shape, dtype }: Type,
  attributes: Attributes,
): Value | undefined {
  if (shape.length !== 4 || !inputs.some((x) => isInterleaved(x) && sameShape(x.shape, shape))) return undefined;
  return interleaved(
    g,
    g.operation(
      op,
      inputs.map((x) => planarOperand(g, x)),
      { shape: planarList(shape), dtype },
      attributes,
    ),
  );
}

type LayoutRule = (
  g: Graph,
  op: string,
  inputs: readonly Value[],
  type: Type,
  attributes: Attributes,
) => Value | undefined;

/** Rows of this many numbers lie in memory alike, so that ONNX Runtime adds each of them in the same order. */
const ALIGNED = 16;

const reduction: LayoutRule = (g, op, [x, axes], { shape, dtype }, attributes) => {
  if (x === undefined || !isInterleaved(x)) return undefined;
  const image = planar(g, x);
  const [batch = 1, channels = 1, height = 1, width = 1] = image.shape;
  const over = numbers(axes).map(planarAxis).sort();
  const kept = { shape: planarList(shape), dtype };
  if (op !== 'ReduceSum' || dtype !== 'float32' || String(over) !== '2,3')
    return interleaved(g, g.operation(op, [image, ints(g, over)], kept, attributes));
  const rows = reshape(g, image, [batch * channels, height * width]);
  if ((height * width) % ALIGNED !== 0)
    return interleaved(g, reshape(g, matmul(g, rows, fill(g, 1, dtype, [height * width, 1])), kept.shape));
  return interleaved(
    g,
    reshape(g, g.operation(op, [rows, ints(g, [1])], { shape: [batch * channels, 1], dtype }, attributes), kept.shape),
  );
};

const rules: { readonly [op: string]: LayoutRule } = {
  ReduceSum: reduction,
  ReduceMax: reduction,
  ReduceMin: reduction,
  ReduceProd: reduction,

  Concat(g, _, inputs, __, { axis }) {
    if (!inputs.some(isInterleaved)) return undefined;
    return interleaved(
      g,
      concat(
        g,
        inputs.map((x) => planar(g, x)),
        planarAxis(Number(axis)),
      ),
    );
  },

  Gather(g, op, [x, places], { shape, dtype }, { axis }) {
    if (x === undefined || places?.shape.length !== 1 || !isInterleaved(x)) return undefined;
    return interleaved(
      g,
      g.operation(op, [planar(g, x), places], { shape: planarList(shape), dtype }, { axis: planarAxis(Number(axis)) }),
    );
  },

  Slice(g, op, [x, begin, end, axes, steps], { shape, dtype }) {
    if (x === undefined || !isInterleaved(x)) return undefined;
    const moved = [begin, end, steps].map((list) => ints(g, planarList(numbers(list)))) as [Value, Value, Value];
    return interleaved(
      g,
      g.operation(op, [planar(g, x), moved[0], moved[1], axes as Value, moved[2]], { shape: planarList(shape), dtype }),
    );
  },

  Pad(g, op, [x, pads, value], { shape, dtype }) {
    if (x === undefined || !isInterleaved(x)) return undefined;
    const widths = numbers(pads);
    const moved = ints(g, [...planarList(widths.slice(0, 4)), ...planarList(widths.slice(4))]);
    return interleaved(g, g.operation(op, [planar(g, x), moved, value as Value], { shape: planarList(shape), dtype }));
  },
};

/** Operations that are not elementwise, on an interleaved view of a planar image, done on the planar one. */
export function planarLayout(
  g: Graph,
  op: string,
  inputs: readonly Value[],
  type: Type,
  attributes: Attributes,
): Value | undefined {
  return type.shape.length === 4 ? rules[op]?.(g, op, inputs, type, attributes) : undefined;
}

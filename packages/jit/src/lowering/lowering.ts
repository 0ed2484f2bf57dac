import type { tf } from '@tweedie/core';
import type { Graph, Value } from '../graph/graph.ts';

/** The tensors of a kernel under the names that TensorFlow.js gives them; each kernel has some of these. */
export type Inputs = Readonly<
  Record<
    | 'a'
    | 'b'
    | 'x'
    | 'y'
    | 'dy'
    | 'input'
    | 'image'
    | 'images'
    | 'logits'
    | 'condition'
    | 't'
    | 'e'
    | 'filter'
    | 'alpha'
    | 'mean'
    | 'variance'
    | 'indices'
    | 'segmentIds'
    | 'params'
    | 'updates'
    | 'tensor'
    | 'weights'
    | 'sortedSequence'
    | 'values'
    | 'sparseIndices'
    | 'sparseValues'
    | 'defaultValue'
    | 's0'
    | 's1',
    Value
  >
> & { readonly bias?: Value; readonly preluActivationWeights?: Value; readonly scale?: Value; readonly offset?: Value };

type Padding = 'valid' | 'same' | number | [[number, number], [number, number], [number, number], [number, number]];

/** The attributes of a kernel; each kernel has some of these. */
export type KernelAttributes = {
  readonly activation?: string;
  readonly alpha?: number;
  readonly beta?: number;
  readonly bias?: number;
  readonly binaryOutput?: boolean;
  readonly blockShape?: number[];
  readonly blockSize?: number;
  readonly crops?: [number, number][];
  readonly axis?: number | number[] | null;
  readonly batchDims?: number;
  readonly begin?: number | number[];
  readonly clipValueMax?: number;
  readonly clipValueMin?: number;
  readonly constantValue?: number;
  readonly dataFormat?: 'NHWC' | 'NCHW';
  readonly depth?: number;
  readonly depthRadius?: number;
  readonly dilations?: number | number[];
  readonly dim?: number;
  readonly dims?: number | number[];
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
  readonly dtype?: tf.DataType;
  readonly end?: number[];
  readonly equation?: string;
  readonly exclusive?: boolean;
  readonly filterShape?: number[];
  readonly filterSize?: number | number[];
  readonly halfPixelCenters?: boolean;
  readonly alignCorners?: boolean;
  readonly includeBatchInIndex?: boolean;
  readonly inputShape?: number[];
  readonly k?: number;
  readonly keepDims?: boolean;
  readonly kind?: string;
  readonly leakyreluAlpha?: number;
  readonly mode?: 'reflect' | 'symmetric';
  readonly num?: number;
  readonly numOrSizeSplits?: number | number[];
  readonly numSegments?: number;
  readonly offValue?: number;
  readonly onValue?: number;
  readonly pad?: Padding;
  readonly paddings?: [number, number][];
  readonly perm?: number[];
  readonly reductionIndices?: number | number[] | null;
  readonly reps?: number[];
  readonly reverse?: boolean;
  readonly shape?: number[];
  readonly outputShape?: number[];
  readonly side?: 'left' | 'right';
  readonly size?: number | number[];
  readonly start?: number;
  readonly step?: number;
  readonly stop?: number;
  readonly strides?: number | number[];
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly value?: number;
  readonly varianceEpsilon?: number;
  readonly beginMask?: number;
  readonly endMask?: number;
  readonly ellipsisMask?: number;
  readonly newAxisMask?: number;
  readonly shrinkAxisMask?: number;
};

/**
 * How one TensorFlow.js kernel is written in ONNX operations. `all` are its tensors in order, for kernels that take a
 * list.
 */
export type Lowering = (
  g: Graph,
  inputs: Inputs,
  attributes: KernelAttributes,
  all: readonly Value[],
) => Value | readonly Value[];
export type Lowerings = { readonly [kernel: string]: Lowering };

export function refusePlanar({ dataFormat }: KernelAttributes): void {
  if (dataFormat === 'NCHW') throw new Error('jit: images are [batch, height, width, channels] here (NHWC), got NCHW.');
}

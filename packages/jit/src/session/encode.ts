/** Writes a graph as an ONNX model. */
import { at } from '@tweedie/core';
import proto, { type onnx as Onnx } from 'onnx-proto';
import { fixedElements, isFixed } from '../passes/fixed.ts';
import { type Attributes, bytesOf, type Dtype, type Operation, type Value } from '../graph/graph.ts';
import { scheduled } from '../passes/schedule.ts';

const { onnx } = proto;

/** The operator set that the lowerings are written for, and the version of the file format that carries it. */
const OPSET = 18;
const IR_VERSION = 8;

/** Operations that ONNX Runtime adds to the standard, in sets of their own, and what they are called there. */
const added: { readonly [op: string]: { readonly domain: string; readonly opType?: string } } = {
  FusedMatMul: { domain: 'com.microsoft' },
  QuickGelu: { domain: 'com.microsoft' },
  ReorderInput: { domain: 'com.microsoft.nchwc' },
  ReorderOutput: { domain: 'com.microsoft.nchwc' },
  BlockedConv: { domain: 'com.microsoft.nchwc', opType: 'Conv' },
};

const elementTypes: { readonly [D in Dtype]: number } = {
  float32: onnx.TensorProto.DataType.FLOAT,
  int32: onnx.TensorProto.DataType.INT32,
  int64: onnx.TensorProto.DataType.INT64,
  float64: onnx.TensorProto.DataType.DOUBLE,
  bool: onnx.TensorProto.DataType.BOOL,
};

/** Operations with more than one output. */
const outputsOf: { readonly [op: string]: number } = { TopK: 2 };

type Names = (value: Value) => string;

/**
 * A file beside the model, for constants that are too large for the model itself; `append` returns the place of the
 * bytes in it.
 */
export type WeightFile = { readonly name: string; append(bytes: Uint8Array): number };

/** Constants from this size on go to the weight file, where there is one. */
const LARGE_BYTES = 1024;

function initializer(value: Value, nameOf: Names, weights: WeightFile | undefined): Onnx.ITensorProto {
  const file = bytesOf(value) < LARGE_BYTES ? undefined : weights;
  // Numbers that stay in the model must not be overwritten until all of it is written.
  const { buffer, byteOffset, byteLength } = fixedElements(value, file !== undefined);
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  const tensor = { name: nameOf(value), dims: [...value.shape], dataType: elementTypes[value.dtype] };
  if (file === undefined) return { ...tensor, rawData: bytes };
  const place = { location: file.name, offset: String(file.append(bytes)), length: String(byteLength) };
  return {
    ...tensor,
    dataLocation: onnx.TensorProto.DataLocation.EXTERNAL,
    externalData: Object.entries(place).map(([key, text]) => ({ key, value: text })),
  };
}

const attributesOf = (attributes: Attributes): Onnx.IAttributeProto[] =>
  Object.entries(attributes).map(([name, value]) => {
    const { INT, INTS, FLOAT, STRING } = onnx.AttributeProto.AttributeType;
    if (typeof value === 'number') return { name, type: INT, i: value };
    if (typeof value === 'string') return { name, type: STRING, s: new TextEncoder().encode(value) };
    return 'float' in value ? { name, type: FLOAT, f: value.float } : { name, type: INTS, ints: [...value] };
  });

const valueInfo = (name: string, { shape, dtype }: Value): Onnx.IValueInfoProto => ({
  name,
  type: { tensorType: { elemType: elementTypes[dtype], shape: { dim: shape.map((dimValue) => ({ dimValue })) } } },
});

const castTo = ({ dtype }: Value): Onnx.IAttributeProto => ({
  name: 'to',
  type: onnx.AttributeProto.AttributeType.INT,
  i: elementTypes[dtype],
});

/**
 * The name of the operation that makes a value. ONNX Runtime's names begin with it where it has rewritten the
 * operation, and with something else where it has added one.
 */
export const nodeName = ({ id }: Value): string => `v${id}`;
export const valueOfNode = (name: string): string => /^v\d+/.exec(name)?.[0] ?? '';

/** The second output of a TopK is the operation `TopK.1`. */
const operator = (op: string): { readonly opType: string; readonly position: number } => {
  const [opType = '', position = '0'] = op.split('.');
  return { opType, position: Number(position) };
};
const outputName = (value: Value, position: number): string => `${nodeName(value)}:${position}`;
const ownName = (value: Value): string =>
  outputName(value, value.source.kind === 'operation' ? operator(value.source.op).position : 0);

/** A value is one output of its operation; the others get names that nobody reads. */
function nodeOf(value: Value, { op, inputs, attributes }: Operation, nameOf: Names): Onnx.INodeProto {
  const { opType, position } = operator(op);
  return {
    name: nodeName(value),
    opType: added[op]?.opType ?? opType,
    domain: added[op]?.domain ?? '',
    input: inputs.map(nameOf),
    output: Array.from({ length: outputsOf[opType] ?? 1 }, (_, i) =>
      i === position ? nameOf(value) : outputName(value, i),
    ),
    attribute: op === 'Cast' ? [castTo(value)] : attributesOf(attributes),
  };
}

/** The operations of a model as it will be written, in order; ONNX Runtime then fuses some of them. */
export const operationsOf = (outputs: readonly Value[]): readonly Value[] =>
  scheduled(outputs, isFixed).filter((value) => value.source.kind === 'operation' && !isFixed(value));

export type Model = {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** The names of the outputs; by default out0, out1, ... */
  readonly names?: readonly string[];
};

/** The bytes of a model with the inputs and outputs in the order given. */
export function encode(
  { inputs, outputs, names = outputs.map((_, i) => `out${i}`) }: Model,
  weights?: WeightFile,
): Uint8Array {
  const initializers: Onnx.ITensorProto[] = [];
  const nodes: Onnx.INodeProto[] = [];
  // An output is the operation that makes it; an argument handed back, a constant, or a value returned twice is copied.
  const made = new Map(
    outputs
      .map((value, i) => [value, at(names, i, 'output name')] as const)
      .filter(([value]) => value.source.kind === 'operation' && !isFixed(value)),
  );
  const nameOf: Names = (value) =>
    made.get(value) ?? (value.source.kind === 'input' ? value.source.name : ownName(value));
  for (const value of scheduled(outputs, isFixed)) {
    const { source } = value;
    if (isFixed(value)) initializers.push(initializer(value, nameOf, weights));
    else if (source.kind === 'operation') nodes.push(nodeOf(value, source, nameOf));
  }
  outputs.forEach((value, i) => {
    const name = at(names, i, 'output name');
    if (made.get(value) !== name) nodes.push({ opType: 'Identity', input: [nameOf(value)], output: [name] });
  });
  const model: Onnx.IModelProto = {
    irVersion: IR_VERSION,
    producerName: 'tweedie',
    opsetImport: [
      { domain: '', version: OPSET },
      ...[...new Set(nodes.flatMap(({ domain }) => domain || []))].map((domain) => ({ domain, version: 1 })),
    ],
    graph: {
      name: 'jit',
      node: nodes,
      initializer: initializers,
      input: inputs.map((value) => valueInfo(nameOf(value), value)),
      output: outputs.map((value, i) => valueInfo(at(names, i, 'output name'), value)),
    },
  };
  return onnx.ModelProto.encode(model).finish();
}

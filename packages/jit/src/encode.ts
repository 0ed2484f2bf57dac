/** A graph as an ONNX model. */
import proto, { type onnx as Onnx } from 'onnx-proto';
import { fixedElements, isFixed } from './fixed.ts';
import { type Attributes, type Dtype, sizeOf, type Value } from './graph.ts';
import { scheduled } from './schedule.ts';

const { onnx } = proto;

/** The operator set the lowerings are written for, and the file format that carries it. */
const OPSET = 18;
const IR_VERSION = 8;

/** Operations that ONNX Runtime adds to the standard. */
const CONTRIBUTED = 'com.microsoft';
const contributed = new Set(['QuickGelu']);

const elementTypes: { readonly [D in Dtype]: number } = {
  float32: onnx.TensorProto.DataType.FLOAT,
  int32: onnx.TensorProto.DataType.INT32,
  int64: onnx.TensorProto.DataType.INT64,
  float64: onnx.TensorProto.DataType.DOUBLE,
  bool: onnx.TensorProto.DataType.BOOL,
};

type Names = (value: Value) => string;

/** Where constants go that are too large for the model itself: gives the place of these bytes in a file beside it. */
export type WeightFile = { readonly name: string; append(bytes: Uint8Array): number };

/** Constants from this size on go to the weight file, where there is one. */
const LARGE_BYTES = 1024;

function initializer(value: Value, nameOf: Names, weights: WeightFile | undefined): Onnx.ITensorProto {
  const { buffer, byteOffset, byteLength } = fixedElements(value, weights !== undefined);
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  const tensor = { name: nameOf(value), dims: [...value.shape], dataType: elementTypes[value.dtype] };
  if (weights === undefined || byteLength < LARGE_BYTES) return { ...tensor, rawData: bytes };
  const place = { location: weights.name, offset: String(weights.append(bytes)), length: String(byteLength) };
  return { ...tensor, dataLocation: onnx.TensorProto.DataLocation.EXTERNAL, externalData: Object.entries(place).map(([key, text]) => ({ key, value: text })) };
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

const castTo = ({ dtype }: Value): Onnx.IAttributeProto => ({ name: 'to', type: onnx.AttributeProto.AttributeType.INT, i: elementTypes[dtype] });

/** Bytes of all constants as they will be written. */
export const constantBytes = (outputs: readonly Value[]): number =>
  scheduled(outputs, isFixed).reduce((sum, value) => sum + (isFixed(value) ? 4 * sizeOf(value.shape) : 0), 0);

/** How many operations a model has as it will be written; ONNX Runtime then fuses some of them. */
export const countOperations = (outputs: readonly Value[]): number =>
  scheduled(outputs, isFixed).filter((value) => value.source.kind === 'operation' && !isFixed(value)).length;

/** The bytes of a model with the inputs and outputs in the order given; outputs are named out0, out1, ... */
export function encode(inputs: readonly Value[], outputs: readonly Value[], weights?: WeightFile): Uint8Array {
  const initializers: Onnx.ITensorProto[] = [];
  const nodes: Onnx.INodeProto[] = [];
  // An output is the operation that makes it; an argument handed back, a constant, or a value returned twice is copied.
  const made = new Map(outputs.map((value, i) => [value, `out${i}`] as const).filter(([value]) => value.source.kind === 'operation' && !isFixed(value)));
  const nameOf: Names = (value) => made.get(value) ?? (value.source.kind === 'input' ? value.source.name : `v${value.id}`);
  for (const value of scheduled(outputs, isFixed)) {
    const { source } = value;
    if (isFixed(value)) initializers.push(initializer(value, nameOf, weights));
    else if (source.kind === 'operation') {
      const attribute = source.op === 'Cast' ? [castTo(value)] : attributesOf(source.attributes);
      nodes.push({ opType: source.op, domain: contributed.has(source.op) ? CONTRIBUTED : '', input: source.inputs.map(nameOf), output: [nameOf(value)], attribute });
    }
  }
  outputs.forEach((value, i) => {
    if (made.get(value) !== `out${i}`) nodes.push({ opType: 'Identity', input: [nameOf(value)], output: [`out${i}`] });
  });
  const model: Onnx.IModelProto = {
    irVersion: IR_VERSION,
    producerName: 'tweedie',
    opsetImport: [{ domain: '', version: OPSET }, { domain: CONTRIBUTED, version: 1 }],
    graph: {
      name: 'jit',
      node: nodes,
      initializer: initializers,
      input: inputs.map((value) => valueInfo(nameOf(value), value)),
      output: outputs.map((value, i) => valueInfo(`out${i}`, value)),
    },
  };
  return onnx.ModelProto.encode(model).finish();
}

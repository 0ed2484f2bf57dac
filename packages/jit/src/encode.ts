/** A graph as an ONNX model. */
import proto, { type onnx as Onnx } from 'onnx-proto';
import { type Attributes, type Dtype, elements, reachable, type Value } from './graph.ts';

const { onnx } = proto;

/** The operator set the lowerings are written for, and the file format that carries it. */
const OPSET = 18;
const IR_VERSION = 8;

const elementTypes: { readonly [D in Dtype]: number } = {
  float32: onnx.TensorProto.DataType.FLOAT,
  int32: onnx.TensorProto.DataType.INT32,
  int64: onnx.TensorProto.DataType.INT64,
  float64: onnx.TensorProto.DataType.DOUBLE,
  bool: onnx.TensorProto.DataType.BOOL,
};

/** Operations with more than one output. The second output of a TopK is the operation `TopK.1`. */
const outputsOf: { readonly [op: string]: number } = { TopK: 2 };

type Names = (value: Value) => string;

function initializer(value: Value, nameOf: Names): Onnx.ITensorProto {
  const { buffer, byteOffset, byteLength } = elements(value);
  return { name: nameOf(value), dims: [...value.shape], dataType: elementTypes[value.dtype], rawData: new Uint8Array(buffer, byteOffset, byteLength) };
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

/** The bytes of a model with the inputs and outputs in the order given; outputs are named out0, out1, ... */
export function encode(inputs: readonly Value[], outputs: readonly Value[]): Uint8Array {
  const initializers: Onnx.ITensorProto[] = [];
  const nodes: Onnx.INodeProto[] = [];
  // An output is the operation that makes it; an argument handed back, a constant, or a value returned twice is copied.
  const made = new Map(outputs.map((value, i) => [value, `out${i}`] as const).filter(([value]) => value.source.kind === 'operation'));
  const nameOf: Names = (value) => made.get(value) ?? (value.source.kind === 'input' ? value.source.name : `v${value.id}`);
  for (const value of reachable(outputs)) {
    const { source } = value;
    if (source.kind === 'constant') initializers.push(initializer(value, nameOf));
    if (source.kind !== 'operation') continue;
    const attribute = source.op === 'Cast' ? [castTo(value)] : attributesOf(source.attributes);
    // A value is one output of its operation; the others get names that nobody reads.
    const [opType = '', position = '0'] = source.op.split('.');
    const output = Array.from({ length: outputsOf[opType] ?? 1 }, (_, i) => (i === Number(position) ? nameOf(value) : `${nameOf(value)}.${i}`));
    nodes.push({ opType, input: source.inputs.map(nameOf), output, attribute });
  }
  outputs.forEach((value, i) => {
    if (made.get(value) !== `out${i}`) nodes.push({ opType: 'Identity', input: [nameOf(value)], output: [`out${i}`] });
  });
  const model: Onnx.IModelProto = {
    irVersion: IR_VERSION,
    producerName: 'tweedie',
    opsetImport: [{ domain: '', version: OPSET }],
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

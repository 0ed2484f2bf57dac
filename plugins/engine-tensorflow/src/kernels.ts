/**
 * Makes up for what tfjs-node 4.22 cannot do, so that a function that runs on core's own backend runs here too, or says
 * what stops it.
 */
import { AGAIN, MARK, messageOf, registerAgain, registerMark, tf } from '@tweedie/core';

/** The name under which tfjs-node registers itself. */
export const BACKEND = 'tensorflow';

type Call = Parameters<tf.KernelFunc>[0];
type Repair = (call: Call, native: tf.KernelFunc) => ReturnType<tf.KernelFunc>;

const run = (kernel: string, x: tf.TensorInfo | undefined, attrs: tf.NamedAttrMap): tf.TensorInfo =>
  tf.engine().runKernel(kernel, { x: x as tf.Tensor }, attrs) as tf.Tensor;

/**
 * The padding of a convolution, where it is given in pixels, which tfjs-node refuses; undefined where it needs no
 * help.
 */
function pixels({ attrs = {} }: Call): number | undefined {
  const { pad, dataFormat } = attrs;
  return typeof pad === 'number' && dataFormat !== 'NCHW' ? pad : undefined;
}

/** Whether a convolution keeps the size of the image: with a stride of one it is then TensorFlow's own 'same'. */
function keepsSize({ inputs, attrs = {} }: Call, pad: number): boolean {
  const { strides, dilations = 1, filterShape = inputs['filter']?.shape } = attrs;
  const filter = filterShape as readonly number[];
  return [strides, dilations].flat().every((n) => n === 1) && filter.slice(0, 2).every((size) => size === 2 * pad + 1);
}
const withPad = ({ attrs, ...call }: Call, pad: string): Call => ({ ...call, attrs: { ...attrs, pad } });

/** Repairs a convolution that reads an image: the image is padded first. */
const readsImage: Repair = (call, native) => {
  const pad = pixels(call);
  if (pad === undefined) return native(call);
  if (keepsSize(call, pad)) return native(withPad(call, 'same'));
  const x = run('PadV2', call.inputs['x'], {
    paddings: [
      [0, 0],
      [pad, pad],
      [pad, pad],
      [0, 0],
    ],
    constantValue: 0,
  });
  return native({ ...withPad(call, 'valid'), inputs: { ...call.inputs, x } });
};

/** Repairs a convolution that gives an image, a gradient: that of the padded image is cropped. */
const givesImage: Repair = (call, native) => {
  const pad = pixels(call);
  if (pad === undefined) return native(call);
  if (keepsSize(call, pad)) return native(withPad(call, 'same'));
  const size = call.attrs?.['inputShape'] as [number, number, number, number];
  const [batch, height, width, channels] = size;
  const { attrs, ...valid } = withPad(call, 'valid');
  const image = native({
    ...valid,
    attrs: { ...attrs, inputShape: [batch, height + 2 * pad, width + 2 * pad, channels] },
  });
  return run('Slice', image as tf.TensorInfo, { begin: [0, pad, pad, 0], size });
};

const repairs: { readonly [kernelName: string]: Repair } = {
  Conv2D: readsImage,
  FusedConv2D: readsImage,
  DepthwiseConv2dNative: readsImage,
  Conv2DBackpropFilter: readsImage,
  DepthwiseConv2dNativeBackpropFilter: readsImage,
  Conv2DBackpropInput: givesImage,
  DepthwiseConv2dNativeBackpropInput: givesImage,
  // The native kernel reads its indices without asking on which backend they are.
  GatherV2: (call, native) => {
    const { indices } = call.inputs;
    return native({ ...call, inputs: { ...call.inputs, indices: run('Identity', indices, {}) } });
  },
};

const missing: tf.KernelFunc = () => {
  throw new Error('tfjs-node does not have it');
};

/**
 * An error of the library with the name of the operation, which it often lacks. One that passes through a second
 * kernel has it already.
 */
function named(kernelName: string, cause: unknown): Error {
  const text = messageOf(cause);
  if (cause instanceof Error && text.startsWith('[engine/tensorflow]')) return cause;
  const [reason = ''] = text.replace(/^Invalid TF_Status: \d+\s+Message: /, '').split('\n');
  return new Error(
    `[engine/tensorflow] operation ${kernelName}: ${reason.replace(/\.?\s*$/, '')}. Run with --engine onnxruntime, or --engine eager.`,
    { cause },
  );
}

/**
 * The cpu backend casts int32 and bool to float32 by changing the type's name and leaving the numbers in place.
 * TensorFlow looks at what it was given, so such inputs are cast in earnest.
 */
function inEarnest(inputs: tf.NamedTensorInfoMap): tf.NamedTensorInfoMap {
  const { tensorInfo } = tf.engine().state;
  const casts = Object.entries(inputs).flatMap(([name, x]) => {
    const stored = x && tensorInfo.get(x.dataId)?.dtype;
    return x === undefined || stored === undefined || stored === x.dtype
      ? []
      : [[name, run('Cast', { ...x, dtype: stored }, { dtype: x.dtype })] as const];
  });
  if (casts.length === 0) return inputs;
  return Object.assign(Array.isArray(inputs) ? [...inputs] : { ...inputs }, Object.fromEntries(casts));
}

function install(kernelName: string, native: tf.KernelFunc): void {
  const repair = repairs[kernelName] ?? ((call) => native(call));
  tf.registerKernel({
    kernelName,
    backendName: BACKEND,
    kernelFunc(call) {
      try {
        return repair({ ...call, inputs: inEarnest(call.inputs) }, native);
      } catch (cause) {
        throw named(kernelName, cause);
      }
    },
  });
}

/** Puts these repairs in place, teaches the backend our kernels, and makes kernels that it lacks say so. */
export function repairBackend(): void {
  const native = tf.getKernelsForBackend(BACKEND);
  for (const { kernelName, kernelFunc } of native) {
    tf.unregisterKernel(kernelName, BACKEND);
    install(kernelName, kernelFunc);
  }
  registerMark(BACKEND);
  registerAgain(BACKEND);
  const has = new Set([MARK, AGAIN, ...native.map(({ kernelName }) => kernelName)]);
  for (const { kernelName } of tf.getKernelsForBackend('cpu')) {
    if (!has.has(kernelName)) install(kernelName, missing);
  }
}

import { eagerEngine, type EngineFactory, ownBackend, tf } from '@tweedie/core';

// Edit 1 of 3: the options. Names, ranges and defaults stand in plugin.json, by which they are checked beforehand.
export interface ExampleOptions {
  /** Use the kernels of this engine; without them every operation is TensorFlow.js's own. */
  readonly own: boolean;
}

/** The numbers of a kernel's input, wherever they lie. */
const read = (backend: object, { dataId }: tf.TensorInfo): ArrayLike<number> =>
  (backend as tf.KernelBackend).readSync(dataId) as Float32Array;

/** Numbers as a kernel's result, in the memory of the backend. */
const write = (backend: object, values: tf.TypedArray, { shape, dtype }: Omit<tf.TensorInfo, 'dataId'>) => ({
  dataId: (backend as tf.KernelBackend).write(values, shape, dtype),
  shape,
  dtype,
});

// Edit 2 of 3: the kernels, by the names that TensorFlow.js has for its operations. What is not here runs on its plain
// kernels, so that a backend can be brought one operation after the other; gradients come by themselves. The array of
// an input may be of another type than `dtype` says (a cast leaves it), so make the result's by `dtype`.
const kernels: Readonly<Record<string, tf.KernelFunc>> = {
  Square({ inputs: { x }, backend }) {
    if (x === undefined) throw new Error('Square: needs x.');
    const values = read(backend, x);
    const squares = tf.util.getTypedArrayFromDType(x.dtype as 'float32', values.length);
    for (let i = 0; i < squares.length; i++) squares[i] = (values[i] ?? NaN) ** 2;
    return write(backend, squares, x);
  },
};

// Edit 3 of 3: what it is, in a sentence, with its cost, needs and errors; and `facts`, which results store: version
// of the library, device. An engine that compiles has a `compile` of its own in place of `eagerEngine`'s.
/**
 * TensorFlow.js, one operation after the other, with kernels of its own where there are some.
 *
 * Cost: that of the engine `eager`, operation by operation. It needs nothing that is not installed; where yours needs a
 * library or a device that may be absent, throw NotInstalledError, which `tweedie doctor` calls absent.
 */
export const example: EngineFactory<ExampleOptions> = ({ own }) =>
  eagerEngine({
    id: 'example',
    facts: { 'tfjs-core': tf.version_core, device: 'cpu', kernels: own ? Object.keys(kernels).join(' ') : 'none' },
    backend: ownBackend(own ? 'engine/example' : 'engine/example without its own', own ? kernels : {}),
  });

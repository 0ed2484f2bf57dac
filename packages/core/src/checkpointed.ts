/**
 * Gradient checkpointing (Chen, Xu, Zhang & Guestrin 2016, arXiv:1604.06174): memory for a second computation.
 */
import { vjp } from './gradients.ts';
import { tf } from './tensorflow.ts';
import type { Tensor } from './types.ts';

/**
 * The kernel of `again`: the same numbers as another value. The jit merges equal operations on one value, and so would
 * merge the second computation with the first.
 */
export const AGAIN = 'TweedieAgain';

const again = <T extends Tensor>(x: T): T => tf.engine().runKernel(AGAIN, { x }) as T;

tf.registerGradient({ kernelName: AGAIN, gradFunc: (dy) => ({ x: () => dy as Tensor }) });

/** Teaches a computing backend the kernel: the same numbers under a new handle. */
export function registerAgain(backendName: string): void {
  tf.registerKernel({
    kernelName: AGAIN,
    backendName,
    kernelFunc: ({ inputs: { x }, backend }) => {
      if (x === undefined) throw new Error('TweedieAgain: needs x.');
      (backend as { incRef(dataId: object): void }).incRef(x.dataId);
      return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
    },
  });
}
registerAgain('cpu');

/**
 * Runs `body`, which takes gradients, within a reverse pass: TensorFlow.js has one tape, which the outer pass is not
 * through with.
 */
function withOwnTape<T>(body: () => T): T {
  const { state } = tf.engine();
  const { activeTape } = state;
  try {
    return body();
  } finally {
    state.activeTape = activeTape;
  }
}

/**
 * The same function, of which the reverse pass keeps `x` alone: it computes the function again instead of keeping what
 * it computed on the way. Cost of a gradient: one more computation. It passes gradients to `x` only, not to what `fn`
 * captures.
 */
export const checkpointed =
  <X extends Tensor>(fn: (x: X) => Tensor): ((x: X) => Tensor) =>
  (x) =>
    tf.customGrad((point, save) => {
      (save as tf.GradSaveFunc)([point as Tensor]);
      return {
        value: fn(point as X),
        gradFunc: (dy: Tensor, saved: Tensor[]) => withOwnTape(() => vjp(fn, again(saved[0] as X), dy)),
      };
    })(x);

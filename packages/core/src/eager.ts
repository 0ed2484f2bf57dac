import { withoutHiddenInputs } from './hidden-inputs.ts';
import { addCosts, countMarks, noCost } from './marks.ts';
import { tf } from './tensorflow.ts';
import { mapTree, signatureOf, tensorsOf, traced } from './trees.ts';
import type { EngineFactory } from './plugin.ts';
import type { Compiled, Engine, Tensor, TensorTree } from './types.ts';

/**
 * TensorFlow.js as it is, one operation after the other, on the plain `cpu` backend. Slow; for debugging, and as the
 * reference that compiling engines are compared with.
 */
export const eager: EngineFactory<Record<never, never>> = () => eagerEngine();

/**
 * What an eager engine is called, and the backend of TensorFlow.js that computes; it must know the mark
 * (`registerMark`).
 */
export type EagerOptions = Pick<Engine, 'id' | 'facts'> & { readonly backend: string };

const plain: EagerOptions = {
  id: 'eager',
  facts: { 'tfjs-core': tf.version_core, device: 'cpu', threads: 1 },
  backend: 'cpu',
};

/**
 * An eager engine on any backend of TensorFlow.js; its results lie on `cpu`. What a function is given or captures moves
 * to the backend where it is first read, keeps its numbers, and stays there until something else reads it: weights are
 * uploaded once.
 */
export function eagerEngine({ id, facts, backend }: EagerOptions = plain): Engine {
  return {
    id,
    facts,
    compile<A extends readonly TensorTree[], R extends TensorTree>(fn: (...args: A) => R): Compiled<A, R> {
      let cost = noCost;
      const signatures = new Set<string>();
      const call = async (...args: readonly TensorTree[]): Promise<TensorTree> => {
        signatures.add(signatureOf(args));
        let result: TensorTree = [];
        const body = () => {
          const inside: TensorTree = traced(args);
          result = mapTree(
            withoutHiddenInputs(() => fn(...(inside as A))),
            onCpu,
          );
          return tensorsOf(result);
        };
        const costOfCall = countMarks(() => onBackend(backend, () => tf.tidy(body)));
        cost = addCosts(cost, costOfCall);
        return result;
      };
      const compiled: unknown = Object.defineProperties(call, {
        cost: { get: () => cost },
        compilations: { get: () => signatures.size },
        dispose: { value: () => undefined },
      });
      return compiled as Compiled<A, R>;
    },
  };
}

/** A result under a handle of its own, so that what the caller disposes is never one of the arguments. */
function onCpu(leaf: Tensor | number): Tensor {
  const { shape, dtype } = typeof leaf === 'number' ? { shape: [], dtype: 'float32' as const } : leaf;
  const values = typeof leaf === 'number' ? Float32Array.of(leaf) : leaf.dataSync();
  return tf.engine().makeTensor(values, shape, dtype, tf.findBackend('cpu'));
}

/** Makes a backend the active one for the time of `body`, whatever happens in it. */
export function onBackend<T>(name: string, body: () => T): T {
  const engine = tf.engine();
  const active = engine.backendName;
  if (active !== name) void tf.setBackend(name);
  try {
    return body();
  } catch (error) {
    // A gradient that was interrupted leaves what it saved for its reverse pass.
    engine.state.activeTape?.forEach((node) => node.saved?.forEach((tensor) => tensor.dispose()));
    engine.state.activeTape = [];
    throw error;
  } finally {
    if (active !== name) void tf.setBackend(active);
  }
}

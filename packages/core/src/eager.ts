import { addCosts, countMarks, noCost } from './marks.ts';
import { tf } from './tensorflow.ts';
import { mapTree, signatureOf, traced } from './trees.ts';
import type { Compiled, Engine, EngineFactory, Tensor, TensorTree } from './types.ts';

/**
 * TensorFlow.js as it is, one operation after the other, on the plain `cpu` backend. Slow; for debugging, and as the reference that
 * compiling engines are compared with.
 */
export const eager: EngineFactory<Record<never, never>> = () => eagerEngine();

export function eagerEngine(): Engine {
  return {
    id: 'eager',
    facts: { 'tfjs-core': tf.version_core, device: 'cpu', threads: 1 },
    compile<A extends readonly TensorTree[], R extends TensorTree>(fn: (...args: A) => R): Compiled<A, R> {
      let cost = noCost;
      const signatures = new Set<string>();
      const call = async (...args: readonly TensorTree[]): Promise<TensorTree> => {
        signatures.add(signatureOf(args));
        let kept: TensorTree = [];
        const body = () => {
          const inside: TensorTree = traced(args);
          // A clone of each result, so that what the caller disposes is never one of the arguments.
          kept = mapTree(fn(...(inside as A)), (leaf) => tf.keep(typeof leaf === 'number' ? tf.scalar(leaf) : leaf.clone()));
        };
        cost = addCosts(cost, countMarks(() => tf.tidy(body)));
        return mapTree(kept, (leaf) => adopt(leaf as Tensor));
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

/** Turns a kept tensor into an ordinary one that the current scope owns. */
function adopt(kept: Tensor): Tensor {
  const owned = kept.clone();
  kept.dispose();
  return owned;
}

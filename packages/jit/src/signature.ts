import { tf, type TensorTree } from '@tweedie/core';

/** Which trace a call belongs to: the structure of its arguments with the types and shapes of the tensors; a number is a scalar. */
export function signature(tree: TensorTree): string {
  if (typeof tree === 'number') return 'n';
  if (tree instanceof tf.Tensor) return `${tree.dtype}[${tree.shape.join()}]`;
  if (Array.isArray(tree)) return `(${tree.map(signature).join()})`;
  if (typeof tree !== 'object' || tree === null) throw new TypeError(`jit: arguments are tensors, numbers, and lists and objects of them; got ${String(tree)}.`);
  return `{${Object.entries(tree).map(([key, node]) => `${key}:${signature(node)}`).join()}}`;
}

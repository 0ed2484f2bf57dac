/** Names for the arguments and results of a function: `x`, `step.level.sigma`, `result.0`. */
import { at, type TensorTree, tf } from '@tweedie/core';

/** The path of keys to each leaf of a tree, in the order of `leavesOf`. */
export function pathsOf(tree: TensorTree, name: string): string[] {
  if (typeof tree === 'number' || tree instanceof tf.Tensor) return [name];
  return Object.entries(tree).flatMap(([key, node]) => pathsOf(node, name === '' ? key : `${name}.${key}`));
}

/**
 * The names of a function's parameters as it was written; where one is taken apart or has a default, `argument0`,
 * `argument1` ...
 */
export function parametersOf(fn: (...args: never) => unknown, count: number): string[] {
  const [, list, single] = /^(?:function\b[^(]*)?\(([^)]*)\)|^([\w$]+)\s*=>/.exec(fn.toString()) ?? [];
  const written = (list ?? single ?? '').split(',').map((name) => name.trim());
  const isPlain =
    written.length >= count && written.every((name) => /^[\w$]*$/.test(name)) && !written.slice(0, count).includes('');
  return Array.from({ length: count }, (_, i) => (isPlain ? at(written, i, 'parameter') : `argument${i}`));
}

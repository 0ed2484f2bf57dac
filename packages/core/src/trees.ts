import { at } from './at.ts';
import { showShape } from './errors.ts';
import { tf } from './tensorflow.ts';
import type { Image, Tensor, TensorTree, Traced } from './types.ts';

const isTensor = (node: TensorTree): node is Tensor => node instanceof tf.Tensor;
/** Whether a tree is one tensor with the four axes of images, [B, H, W, C]. */
export const isImage = (node: TensorTree): node is Image => isTensor(node) && node.rank === 4;

/** Applies `fn` to every leaf; arrays stay arrays, objects stay objects. */
export function mapTree(tree: TensorTree, fn: (leaf: Tensor | number) => Tensor | number): TensorTree {
  if (typeof tree === 'number' || isTensor(tree)) return fn(tree);
  if (Array.isArray(tree)) return tree.map((node: TensorTree) => mapTree(node, fn));
  return Object.fromEntries(Object.entries(tree).map(([key, node]) => [key, mapTree(node, fn)]));
}

/** The leaves in a fixed order: arrays by index, objects by insertion. */
export function leavesOf(tree: TensorTree): (Tensor | number)[] {
  const leaves: (Tensor | number)[] = [];
  mapTree(tree, (leaf) => {
    leaves.push(leaf);
    return leaf;
  });
  return leaves;
}

export const tensorsOf = (tree: TensorTree): Tensor[] =>
  leavesOf(tree).filter((leaf): leaf is Tensor => typeof leaf !== 'number');

/** The tree that a traced function sees: its numbers have become scalar tensors. */
export function traced<T extends TensorTree>(tree: T): Traced<T> {
  const scalars = mapTree(tree, (leaf) => (typeof leaf === 'number' ? tf.scalar(leaf) : leaf));
  return scalars as Traced<T>;
}

/** A tree whose tensors hold their rows `times` times over, one whole batch after another; numbers stay. */
export const repeatRows = <T extends TensorTree | undefined>(tree: T, times: number): T =>
  (tree === undefined || times === 1
    ? tree
    : mapTree(tree, (leaf) =>
        typeof leaf === 'number' ? leaf : tf.concat(Array.from({ length: times }, () => leaf)),
      )) as T;

/**
 * Puts trees of one structure on top of each other along a new leading axis; the caller owns the result. Numbers have
 * no such axis and must be the same in all trees: a RangeError says which is not.
 */
export function stackTrees(trees: readonly TensorTree[]): TensorTree {
  const [first] = trees;
  if (first === undefined) throw new RangeError('stackTrees: needs at least one tree.');
  const rows = trees.map(leavesOf);
  let position = 0;
  return mapTree(first, (leaf) => {
    const index = position++;
    const column = rows.map((row) => at(row, index, 'leaf'));
    if (typeof leaf !== 'number') return tf.stack(column as Tensor[]);
    const other = column.find((value) => value !== leaf);
    if (other !== undefined)
      throw new RangeError(
        `stackTrees: leaf ${index} is ${leaf} here and ${String(other)} there; what differs must be a tensor.`,
      );
    return leaf;
  });
}

/**
 * The trace that a call belongs to, as text: the structure of its arguments with the types and shapes of the tensors;
 * a number is a scalar.
 */
export function signatureOf(tree: TensorTree): string {
  if (typeof tree === 'number') return 'n';
  if (isTensor(tree)) return `${tree.dtype}[${tree.shape.join()}]`;
  if (Array.isArray(tree)) return `(${tree.map(signatureOf).join()})`;
  if (typeof tree !== 'object' || tree === null)
    throw new TypeError(
      `a compiled function takes tensors, numbers, and lists and objects of them; got ${String(tree)}.`,
    );
  return `{${Object.entries(tree)
    .map(([key, node]) => `${key}:${signatureOf(node)}`)
    .join()}}`;
}

/** Images [H, W, C] of one shape as a batch, [B, H, W, C]; the caller owns it. */
export function stackImages(images: readonly Tensor[]): Image {
  const batch = tf.stack([...images]);
  if (isImage(batch)) return batch;
  throw new RangeError(
    `stackImages: images [height, width, channels] are wanted, got ${showShape(batch.shape.slice(1))}.`,
  );
}

/** The number of rows of a batch: the length of its first axis. */
export const batchSize = (batch: Tensor): number => at(batch.shape, 0, 'axis');

/** The numbers of each row of a batch, copied. */
export function rowsOf(batch: Tensor): Float32Array[] {
  const values = batch.dataSync() as Float32Array;
  const rows = batchSize(batch);
  const each = values.length / rows;
  return Array.from({ length: rows }, (_, row) => values.slice(row * each, (row + 1) * each));
}

export const disposeTree = (tree: TensorTree): void => tensorsOf(tree).forEach((tensor) => tensor.dispose());

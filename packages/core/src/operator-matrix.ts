import { sizeOf } from './shapes.ts';
import { tf } from './tensorflow.ts';
import { unitImages } from './linear.ts';
import { sha256 } from './problems.ts';
import { disposeTree, leavesOf, mapTree } from './trees.ts';
import type { Image, ImageShape, Measured, Measurement, Tensor, TensorTree } from './types.ts';

/** The operator A, compiled: calls outside a compiled function would not be counted. */
export type CompiledForward = (x: Image, drawn: TensorTree) => Promise<Measurement>;

/**
 * The least variance of y: it keeps 0 / 0 out of the noiseless case, and A C A^T regular where A hides entries.
 * Float32 images show no sigmaY^2 so small.
 */
export const VARIANCE_FLOOR = 1e-12;

/** How many unit images go through the operator at once. */
const COLUMNS_AT_ONCE = 128;

/** A as a dense row-major [m, d] matrix: the operator applied to every unit image. `drawn` has a batch axis of 1. */
export async function operatorMatrix(
  forward: CompiledForward,
  drawn: TensorTree,
  imageShape: ImageShape,
  m: number,
): Promise<Float64Array> {
  const d = sizeOf(imageShape);
  const matrix = new Float64Array(m * d);
  for (let from = 0; from < d; from += COLUMNS_AT_ONCE) {
    const count = Math.min(COLUMNS_AT_ONCE, d - from);
    const units = unitImages(from, count, imageShape);
    const repeated = tf.tidy(
      () =>
        mapTree(drawn, (leaf) =>
          typeof leaf === 'number' ? leaf : leaf.tile([count, ...leaf.shape.slice(1).map(() => 1)]),
        ) as tf.TensorContainer,
    );
    const measured = await forward(units, repeated as TensorTree);
    const columns = await measured.data();
    for (let column = 0; column < count; column++) {
      for (let row = 0; row < m; row++) matrix[row * d + from + column] = columns[column * m + row] ?? 0;
    }
    disposeTree([units, repeated as TensorTree, measured]);
  }
  return matrix;
}

/** The problem of one row of a batch, with a batch axis of 1. The caller owns its tensors. */
export function rowOfProblem({ y, sigmaY, drawn }: Measured, row: number): Measured {
  const rowOf = (tensor: Tensor): Tensor => tf.tidy(() => tf.gather(tensor, tf.tensor1d([row], 'int32')));
  return { y: rowOf(y), sigmaY, drawn: mapTree(drawn, (leaf) => (typeof leaf === 'number' ? leaf : rowOf(leaf))) };
}

/** A text that tells trees of tensors apart by their numbers. */
export const fingerprintOf = (tree: TensorTree): string =>
  leavesOf(tree)
    .map((leaf) => (typeof leaf === 'number' ? String(leaf) : sha256(new Uint8Array(leaf.dataSync().buffer))))
    .join();

/**
 * Gradients that TensorFlow.js 4.22 has wrong, registered anew, so that every engine takes the right ones: that of
 * `mirrorPad` leaves out the mirror images, that of `cumsum` turns its result unless the axis is the last.
 */
import * as tf from '@tensorflow/tfjs-core';

type Paddings = readonly (readonly [number, number])[];

/**
 * The adjoint of mirrored padding along one axis: the mirror images, turned back, are added to what they are images of.
 */
function folded(dy: tf.Tensor, axis: number, [before, after]: readonly [number, number], skip: number): tf.Tensor {
  if (before === 0 && after === 0) return dy;
  const length = (dy.shape[axis] ?? 0) - before - after;
  const part = (from: number, size: number): tf.Tensor =>
    tf.slice(
      dy,
      dy.shape.map((_, i) => (i === axis ? from : 0)),
      dy.shape.map((n, i) => (i === axis ? size : n)),
    );
  const image = (from: number, size: number, to: number): tf.Tensor =>
    tf.pad(
      tf.reverse(part(from, size), axis),
      dy.shape.map((_, i) => (i === axis ? [to, length - to - size] : [0, 0])),
    );
  let sum = part(before, length);
  if (before > 0) sum = tf.add(sum, image(0, before, skip));
  if (after > 0) sum = tf.add(sum, image(before + length, after, length - skip - after));
  return sum;
}

tf.registerGradient({
  kernelName: tf.MirrorPad,
  gradFunc(dy, _, attributes) {
    const { paddings, mode } = attributes as { paddings: Paddings; mode: 'reflect' | 'symmetric' };
    return {
      x: () =>
        paddings.reduce((sum, widths, axis) => folded(sum, axis, widths, mode === 'reflect' ? 1 : 0), dy as tf.Tensor),
    };
  },
});

tf.registerGradient({
  kernelName: tf.Cumsum,
  gradFunc(dy, _, attributes) {
    const { axis, exclusive, reverse } = attributes as { axis: number; exclusive: boolean; reverse: boolean };
    return { x: () => tf.cumsum(dy as tf.Tensor, axis, exclusive, !reverse) };
  },
});

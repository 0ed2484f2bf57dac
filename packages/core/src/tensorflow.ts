/**
 * The one place where TensorFlow.js is set up: the plain `cpu` backend, the gradients of all kernels, and the chained methods
 * (`x.sub(y)`) that the project's code uses. Everything else imports `tf` from `@tweedie/core`.
 */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
// In Node the gradients are only reachable in a form Node can load through the bundle of tfjs-layers,
// which registers them for the one shared engine; tfjs-core/dist/register_all_gradients has imports that Node refuses.
import '@tensorflow/tfjs-layers';
import type {} from '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.d.ts';

const chained = [
  'abs', 'add', 'argMax', 'cast', 'clipByValue', 'concat', 'cos', 'div', 'divNoNan', 'dot', 'equal', 'exp', 'expandDims', 'flatten', 'gather', 'greater',
  'greaterEqual', 'less', 'lessEqual', 'log', 'log1p', 'logSumExp', 'logicalAnd', 'logicalNot', 'matMul', 'max', 'maximum', 'mean', 'min', 'minimum', 'mul', 'neg', 'norm',
  'notEqual', 'pad', 'pow', 'prod', 'reciprocal', 'relu', 'reshape', 'resizeNearestNeighbor', 'reverse', 'rsqrt', 'sigmoid', 'sign', 'sin', 'slice', 'softmax',
  'softplus', 'split', 'sqrt', 'square', 'squaredDifference', 'squeeze', 'stack', 'sub', 'sum', 'tanh', 'tile', 'transpose', 'unstack', 'where', 'zerosLike', 'onesLike',
] as const;

for (const name of chained) {
  const op = (tf as Record<string, unknown>)[name] ?? (tf.image as Record<string, unknown>)[name];
  if (typeof op !== 'function') continue;
  Object.defineProperty(tf.Tensor.prototype, name, {
    configurable: true,
    writable: true,
    value(this: tf.Tensor, ...rest: unknown[]) {
      return name === 'where' ? op(rest[0], this, rest[1]) : op(this, ...rest);
    },
  });
}
// These act on a list or take the shape of another tensor, so `this` is not simply the first argument.
Object.assign(tf.Tensor.prototype, {
  concat(this: tf.Tensor, others: tf.Tensor | tf.Tensor[], axis?: number) {
    return tf.concat([this, ...(Array.isArray(others) ? others : [others])], axis);
  },
  stack(this: tf.Tensor, others: tf.Tensor | tf.Tensor[], axis?: number) {
    return tf.stack([this, ...(Array.isArray(others) ? others : [others])], axis);
  },
  flatten(this: tf.Tensor) {
    return tf.reshape(this, [this.size]);
  },
  reshapeAs(this: tf.Tensor, other: tf.Tensor) {
    return tf.reshape(this, other.shape);
  },
});

// tfjs advises, on standard error, to install its native binding; our engines make that advice wrong.
const cpu = tf.findBackend('cpu') as { firstUse?: boolean };
cpu.firstUse = false;
tf.setBackend('cpu');

export { tf };

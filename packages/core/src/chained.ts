import * as tf from '@tensorflow/tfjs-core';
// Exported, so that the declarations reach whoever imports the built package.
export type {} from '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.d.ts';

/**
 * The chained methods of tensors, `x.sub(y)` for `tf.sub(x, y)`. TensorFlow.js declares their types, but the module
 * that installs them has imports that Node refuses; a test compares this list with the declarations, so that what
 * compiles also runs.
 */
const names = `
  abs acos acosh add all any argMax argMin asin asinh atan atan2 atanh avgPool batchNorm batchToSpaceND broadcastTo cast ceil clipByValue conv1d
  conv2d conv2dTranspose cos cosh cumprod cumsum depthToSpace depthwiseConv2d dilation2d div divNoNan dot elu equal erf euclideanNorm exp expandDims
  expm1 fft floor floorDiv gather greater greaterEqual ifft irfft isFinite isInf isNaN leakyRelu less lessEqual localResponseNormalization log log1p
  logSigmoid logSoftmax logSumExp logicalAnd logicalNot logicalOr logicalXor matMul max maxPool maximum mean min minimum mirrorPad mod mul neg norm
  notEqual oneHot onesLike pad pool pow prelu prod reciprocal relu relu6 reshape reverse rfft round rsqrt selu separableConv2d sigmoid sign sin sinh
  slice softmax softplus spaceToBatchND split sqrt square squaredDifference squeeze step stridedSlice sub sum tan tanh tile topk transpose unique
  unsortedSegmentSum unstack zerosLike
`
  .trim()
  .split(/\s+/);

type Method = (this: tf.Tensor, ...rest: never[]) => unknown;

const others: Record<string, Method> = {
  as1D() {
    return tf.reshape(this, [this.size]);
  },
  as2D(rows: number, columns: number) {
    return tf.reshape(this, [rows, columns]);
  },
  as3D(...shape: [number, number, number]) {
    return tf.reshape(this, shape);
  },
  as4D(...shape: [number, number, number, number]) {
    return tf.reshape(this, shape);
  },
  as5D(...shape: [number, number, number, number, number]) {
    return tf.reshape(this, shape);
  },
  asScalar() {
    return tf.reshape(this, []);
  },
  asType(dtype: tf.DataType) {
    return tf.cast(this, dtype);
  },
  concat(more: tf.Tensor | tf.Tensor[], axis?: number) {
    return tf.concat([this, ...(Array.isArray(more) ? more : [more])], axis);
  },
  flatten() {
    return tf.reshape(this, [this.size]);
  },
  reshapeAs(other: tf.Tensor) {
    return tf.reshape(this, other.shape);
  },
  resizeBilinear(...rest: [size: [number, number]]) {
    return tf.image.resizeBilinear(this as tf.Tensor4D, ...rest);
  },
  resizeNearestNeighbor(...rest: [size: [number, number]]) {
    return tf.image.resizeNearestNeighbor(this as tf.Tensor4D, ...rest);
  },
  stack(more: tf.Tensor | tf.Tensor[], axis?: number) {
    return tf.stack([this, ...(Array.isArray(more) ? more : [more])], axis);
  },
  toBool() {
    return tf.cast(this, 'bool');
  },
  toFloat() {
    return tf.cast(this, 'float32');
  },
  toInt() {
    return tf.cast(this, 'int32');
  },
  where(condition: tf.Tensor, other: tf.Tensor) {
    return tf.where(condition, this, other);
  },
};

for (const name of names) {
  const op = (tf as Record<string, unknown>)[name];
  if (typeof op !== 'function') throw new Error(`tfjs-core has no op '${name}': its version has changed.`);
  others[name] = function (...rest) {
    return op(this, ...rest);
  };
}
for (const [name, value] of Object.entries(others))
  Object.defineProperty(tf.Tensor.prototype, name, { configurable: true, writable: true, value });

import { type Tensor, tf } from '@tweedie/core';

/** Functions by what they are made of, which an engine must compute as plain TensorFlow.js does. */
export type EngineFunctions = {
  readonly name: string;
  /** Whether its results have gradients. */
  readonly smooth: boolean;
  /** Of an image [2, 6, 4, 3], a matrix [4, 6] and numbers above 0, [2, 6, 4, 3]. */
  readonly fn: (x: Tensor, matrix: Tensor, positive: Tensor) => readonly Tensor[];
};

const padding: [number, number][] = [
  [0, 0],
  [1, 2],
  [2, 1],
  [0, 0],
];
/** The filter of a convolution, from numbers that the function is given: [3, 3, in, out]. */
const filter = (positive: Tensor, inputs: number, outputs: number): tf.Tensor4D =>
  positive
    .reshape([-1])
    .slice([0], [9 * inputs * outputs])
    .sub(0.5)
    .reshape([3, 3, inputs, outputs]);
const image = (x: Tensor): tf.Tensor4D => x as tf.Tensor4D;

export const engineFunctions: readonly EngineFunctions[] = [
  {
    name: 'sums, products and powers, with axes that broadcast',
    smooth: true,
    fn: (x, _, positive) => [
      x.add(x.slice([0, 0, 0, 0], [1, 1, 4, 3])),
      x.sub(positive),
      x.mul(x.slice([0, 0, 0, 1], [2, 6, 4, 1])),
      x.div(positive),
      positive.pow(1.5),
      x.squaredDifference(positive),
      tf.addN([x, positive, x]),
      x.neg(),
    ],
  },
  {
    name: 'functions of one number',
    smooth: true,
    fn: (x, _, positive) => [
      x.square(),
      positive.sqrt(),
      positive.rsqrt(),
      positive.log(),
      positive.log1p(),
      x.exp(),
      x.expm1(),
      x.tanh(),
      x.sigmoid(),
      x.softplus(),
      x.sin(),
      x.cos(),
      x.atan(),
      x.abs(),
      x.erf(),
      positive.reciprocal(),
      x.relu(),
      x.elu(),
    ],
  },
  {
    name: 'smallest, largest and clipped numbers',
    smooth: true,
    fn: (x, _, positive) => [x.maximum(positive.sub(1)), x.minimum(0.1), x.clipByValue(-0.5, 0.5), x.leakyRelu(0.2)],
  },
  {
    name: 'sums and means over axes',
    smooth: true,
    fn: (x) => [
      x.sum([1, 2, 3]),
      x.sum([0], true),
      x.mean([1, 2], true),
      x.mean(),
      x.max([3]),
      x.min([1, 2]),
      x.prod([3]),
      x.cumsum(1),
      x.softmax(),
      x.logSumExp([3]),
    ],
  },
  {
    name: 'products of matrices',
    smooth: true,
    fn: (x, matrix) => [
      matrix.matMul(x.reshape([6, 24])),
      matrix.matMul(matrix, true, false),
      matrix.matMul(matrix, false, true),
      tf.matMul(x.reshape([4, 6, 6]), x.reshape([4, 6, 6]), false, true),
    ],
  },
  {
    name: 'convolutions',
    smooth: true,
    fn: (x, _, positive) => [
      tf.conv2d(image(x), filter(positive, 3, 4), 1, 'same'),
      tf.conv2d(image(x), filter(positive, 3, 2), 2, 'same'),
      tf.conv2d(image(x), filter(positive, 3, 2), 1, 'valid'),
      tf.conv2d(image(x), filter(positive, 3, 2), 2, 1),
      tf.conv2dTranspose(image(x), filter(positive, 2, 3), [2, 12, 8, 2], 2, 'same'),
      tf.depthwiseConv2d(image(x), filter(positive, 3, 1), 1, 'same'),
      tf.avgPool(image(x), 2, 2, 'valid'),
      tf.maxPool(image(x), 2, 2, 'valid'),
    ],
  },
  {
    name: 'shapes and places',
    smooth: true,
    fn: (x) => [
      x.reshape([2, -1]),
      x.transpose([0, 3, 1, 2]),
      tf.concat([x, x.neg()], 3),
      tf.stack([x, x.neg()], 1),
      ...x.split([1, 2], 3),
      ...x.unstack(3),
      x.slice([0, 1, 1, 0], [2, 3, 2, 3]),
      x.pad(padding),
      x.mirrorPad(padding, 'reflect'),
      x.tile([1, 2, 1, 1]),
      x.reverse([1]),
      tf.gather(x, tf.tensor1d([3, 0, 3], 'int32'), 2),
      x.expandDims(1),
    ],
  },
  {
    name: 'comparisons, choices, whole numbers, and what has no gradient in TensorFlow.js',
    smooth: false,
    fn: (x, matrix, positive) => [
      x.greater(0).logicalAnd(x.less(positive)),
      x.equal(x.round()),
      tf.where(x.greater(0.2), x, positive),
      tf.einsum('bhwc,dh->bdwc', x, matrix),
      tf.image.resizeBilinear(image(x), [9, 6]),
      tf.image.resizeNearestNeighbor(image(x), [12, 8]),
      x.sign(),
      x.floor(),
      x.argMax(3),
      x.stridedSlice([0, 1, 0, 0], [2, 6, 4, 3], [1, 2, 1, 1]),
      x.step(),
      tf.oneHot(x.argMax(3).cast('int32') as tf.Tensor1D, 3),
      x.isNaN().any(),
      // A cast of TensorFlow.js's own backend changes the name of a type and leaves the array as it was.
      x.greater(0).cast('float32').mul(0.5),
      x.mul(4).cast('int32').cast('float32').square().div(3),
      tf.range(0, 6).mul(0.5),
      tf.topk(x, 2).values,
    ],
  },
];

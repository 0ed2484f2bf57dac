import { type Tensor, tf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { jit } from '../src/index.ts';
import { draws, expectAgreement, relativeError } from './agreement.ts';

const { tensor, integers, integer, distinct, withGradients, withTrueGradient } = draws(20240602);
const kernel = (name: string, inputs: { [name: string]: Tensor }, attributes: object): Tensor =>
  tf.engine().runKernel(name, inputs, attributes as never) as Tensor;
const uneven = [
  [0, 0],
  [1, 2],
  [0, 1],
  [0, 0],
] as const;

describe('convolutions', () => {
  it.each([
    [3, 1, 'same'],
    [3, 1, 'valid'],
    [1, 1, 'same'],
    [3, 2, 'same'],
    [2, 2, 'valid'],
    [3, 2, 'valid'],
    [5, 1, 2],
    [3, 3, 'same'],
    [2, 3, 'valid'],
    [3, 1, 4],
    [3, 2, uneven],
    [3, [1, 2], 'same'],
  ] as const)('of size %j, stride %j, padding %j: value and both gradients', async (size, strides, padding) => {
    const fn = (x: Tensor, w: Tensor) =>
      tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, strides as number, padding as 'same') as Tensor;
    // TensorFlow.js takes the width of the filter for its height where the padding is a number.
    const width = (): number => (typeof padding === 'number' ? size : integer(1, size));
    for (let i = 0; i < 2; i++)
      await withGradients(fn, [
        tensor([2, integer(5, 8), integer(5, 8), 3]),
        tensor([size, width(), 3, integer(1, 4)]),
      ]);
  });

  it('dilated, rounded up, planar, fused', async () => {
    const [x, w] = [tensor([2, 7, 8, 3]), tensor([3, 2, 3, 4])];
    for (const padding of ['same', 'valid'] as const) {
      await expectAgreement(
        (v: Tensor, f: Tensor) => tf.conv2d(v as tf.Tensor4D, f as tf.Tensor4D, 1, padding, 'NHWC', [2, 3]),
        [x, w],
      );
    }
    for (const rounding of ['floor', 'round', 'ceil'] as const) {
      await expectAgreement(
        (v: Tensor, f: Tensor) => tf.conv2d(v as tf.Tensor4D, f as tf.Tensor4D, 2, 1, 'NHWC', 1, rounding),
        [x, tensor([3, 3, 3, 4])],
      );
    }
    await withGradients(
      (v, f) => tf.conv2d(v as tf.Tensor4D, f as tf.Tensor4D, 2, 'same', 'NCHW'),
      [tensor([2, 3, 6, 7]), tensor([3, 3, 3, 4])],
    );
    for (const activation of ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu', 'prelu'] as const) {
      const weights = tensor([1, 1, 4]);
      const prelu = activation === 'prelu' ? { preluActivationWeights: weights } : {};
      await expectAgreement(
        (v: Tensor, f: Tensor, bias: Tensor) =>
          tf.fused.conv2d({
            x: v as tf.Tensor4D,
            filter: f as tf.Tensor4D,
            strides: 1,
            pad: 'same',
            bias,
            activation,
            leakyreluAlpha: 0.3,
            ...prelu,
          }),
        [x, w, tensor([4])],
      );
    }
    await withGradients(
      (v, f, bias) =>
        tf.fused.conv2d({
          x: v as tf.Tensor4D,
          filter: f as tf.Tensor4D,
          strides: 1,
          pad: 'same',
          bias,
          activation: 'relu',
        }),
      [x, w, tensor([4])],
    );
    await withGradients(
      (v, f) => tf.conv1d(v as tf.Tensor3D, f as tf.Tensor3D, 2, 'same'),
      [tensor([2, 9, 3]), tensor([3, 3, 4])],
    );
  });

  it('transposed, and the gradients of that', async () => {
    for (const [strides, padding] of [
      [1, 'same'],
      [2, 'same'],
      [2, 'valid'],
      [3, 'same'],
      [2, 1],
    ] as const) {
      const [height, width] = [integer(3, 5), integer(3, 5)];
      const size = (n: number): number =>
        padding === 'same' ? n * strides : padding === 'valid' ? (n - 1) * strides + 3 : (n - 1) * strides + 1;
      const fn = (x: Tensor, w: Tensor) =>
        tf.conv2dTranspose(
          x as tf.Tensor4D,
          w as tf.Tensor4D,
          [2, size(height), size(width), 3],
          strides,
          padding,
        ) as Tensor;
      await withGradients(fn, [tensor([2, height, width, 4]), tensor([3, 3, 3, 4])]);
    }
  });

  it('says where a number cannot be the padding', async () => {
    const compiled = jit((x: Tensor) => tf.conv2d(x as tf.Tensor4D, tf.ones([3, 1, 1, 1]), 1, 0));
    await expect(compiled(tf.ones([1, 8, 8, 1]))).rejects.toThrow(
      'jit: a number as padding needs a filter as wide as high in TensorFlow.js',
    );
  });

  it('of gradients of gradients', async () => {
    const w = tensor([3, 3, 2, 2]);
    const energy = (x: Tensor): Tensor =>
      tf
        .conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same')
        .square()
        .sum();
    await expectAgreement(
      (x: Tensor) => tf.grad((z) => tf.grad(energy)(z).square().sum())(x),
      [tensor([2, 5, 5, 2])],
      1e-4,
    );
  });

  it.each([
    [3, 1, 'same'],
    [3, 2, 'same'],
    [2, 2, 'valid'],
    [3, 1, 'valid'],
    [3, 1, 2],
    [3, 3, 'same'],
  ] as const)('depthwise, size %i, stride %i, padding %s', async (size, strides, padding) => {
    const fn = (x: Tensor, w: Tensor) =>
      tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, strides, padding) as Tensor;
    for (const filters of [1, 3])
      await withGradients(fn, [tensor([2, integer(5, 8), integer(5, 8), 3]), tensor([size, size, 3, filters])]);
  });

  it('depthwise: dilated, fused, separable', async () => {
    const [x, w] = [tensor([2, 8, 7, 3]), tensor([3, 2, 3, 2])];
    await expectAgreement(
      (v: Tensor, f: Tensor) => tf.depthwiseConv2d(v as tf.Tensor4D, f as tf.Tensor4D, 1, 'same', 'NHWC', [2, 3]),
      [x, w],
    );
    const attributes = {
      strides: [1, 1],
      dilations: [2, 3],
      pad: 'same',
      inputShape: [2, 8, 7, 3],
      filterShape: [3, 2, 3, 2],
    };
    // The plain kernels of both gradients leave the gaps out of account: the truth comes from the convolution itself.
    const compiled = jit(
      (v: Tensor, f: Tensor, dy: Tensor) =>
        [
          kernel('DepthwiseConv2dNativeBackpropInput', { dy, filter: f }, attributes).mul(v).sum(),
          kernel('DepthwiseConv2dNativeBackpropFilter', { x: v, dy }, attributes).mul(f).sum(),
          tf
            .depthwiseConv2d(v as tf.Tensor4D, f as tf.Tensor4D, 1, 'same', 'NHWC', [2, 3])
            .mul(dy)
            .sum(),
        ] as const,
    );
    const [byInput, byFilter, truth] = (await compiled(x, w, tensor([2, 8, 7, 6]))).map(
      (product) => product.dataSync()[0]!,
    );
    compiled.dispose();
    expect(byInput! / truth!).toBeCloseTo(1, 4);
    expect(byFilter! / truth!).toBeCloseTo(1, 4);
    await expectAgreement(
      (v: Tensor, f: Tensor, bias: Tensor) =>
        tf.fused.depthwiseConv2d({
          x: v as tf.Tensor4D,
          filter: f as tf.Tensor4D,
          strides: 2,
          pad: 'same',
          bias,
          activation: 'relu6',
        }),
      [x, w, tensor([6])],
    );
    await withGradients(
      (v, f, p) => tf.separableConv2d(v as tf.Tensor4D, f as tf.Tensor4D, p as tf.Tensor4D, 1, 'same'),
      [x, w, tensor([1, 1, 6, 4])],
    );
  });

  it('of volumes', async () => {
    for (const [strides, padding] of [
      [1, 'same'],
      [2, 'same'],
      [1, 'valid'],
      [2, 'valid'],
    ] as const) {
      await withGradients(
        (x, w) => tf.conv3d(x as tf.Tensor5D, w as tf.Tensor5D, strides, padding),
        [tensor([2, 4, 5, 6, 2]), tensor([2, 3, 2, 2, 3])],
      );
    }
    await expectAgreement(
      (x: Tensor, w: Tensor) => tf.conv3d(x as tf.Tensor5D, w as tf.Tensor5D, 1, 'same', 'NDHWC', 2),
      [tensor([1, 5, 5, 6, 2]), tensor([2, 3, 2, 2, 3])],
    );
    await expectAgreement(
      (x: Tensor, w: Tensor) => tf.conv3dTranspose(x as tf.Tensor5D, w as tf.Tensor5D, [1, 4, 6, 8, 2], 2, 'same'),
      [tensor([1, 2, 3, 4, 3]), tensor([3, 3, 3, 2, 3])],
    );
  });
});

describe('windows', () => {
  const geometries = [
    [2, 2, 'valid'],
    [3, 1, 'valid'],
    [3, 2, 'same'],
    [3, 1, 'same'],
    [3, 2, 1],
    [[2, 3], [1, 2], 'same'],
    [2, 3, 'same'],
  ] as const;

  it.each(geometries)('averages of size %j, stride %j, padding %j', async (size, strides, padding) => {
    // TensorFlow.js divides the gradient by the size of the whole window where part of it is padding.
    const fn = (x: Tensor): Tensor => tf.avgPool(x as tf.Tensor4D, size as number, strides as number, padding);
    if (padding === 'valid') await withGradients(fn, [tensor([2, 6, 8, 3])]);
    await withTrueGradient(fn, tensor([2, 5, 6, 2]), 0.5);
  });

  it.each(geometries)('maxima of size %j, stride %j, padding %j', async (size, strides, padding) => {
    const fn = (x: Tensor): Tensor => tf.maxPool(x as tf.Tensor4D, size as number, strides as number, padding);
    await withGradients(fn, [distinct([2, 6, 8, 3])]);
    await withGradients(fn, [integers([2, 6, 8, 3], 0, 2).mul(tf.scalar(1.5))]);
    if (typeof padding === 'number') return;
    await expectAgreement(
      (x: Tensor) => {
        const { result, indexes } = tf.maxPoolWithArgmax(x as tf.Tensor4D, size as number, strides as number, padding);
        return [result!, indexes!];
      },
      [distinct([2, 6, 8, 3])],
    );
    await expectAgreement(
      (x: Tensor) => tf.maxPoolWithArgmax(x as tf.Tensor4D, size as number, strides as number, padding, true).indexes!,
      [integers([2, 5, 4, 3], 0, 2).mul(tf.scalar(1.5))],
    );
  });

  it('rounded up in number, dilated, over whole numbers', async () => {
    for (const rounding of ['floor', 'ceil'] as const) {
      for (const op of ['avgPool', 'maxPool'] as const)
        await expectAgreement((x: Tensor) => tf[op](x as tf.Tensor4D, 3, 2, 1, rounding), [tensor([1, 6, 7, 2])]);
    }
    await withGradients((x) => tf.pool(x as tf.Tensor4D, 2, 'max', 'valid', 2), [distinct([1, 6, 8, 2])]);
    await expectAgreement((x: Tensor) => tf.maxPool(x as tf.Tensor4D, 2, 2, 'valid'), [integers([1, 4, 4, 2], -9, 9)]);
  });

  it('of volumes', async () => {
    for (const [size, strides, padding] of [
      [2, 2, 'valid'],
      [3, 1, 'valid'],
      [3, 2, 'same'],
    ] as const) {
      await withGradients((x) => tf.maxPool3d(x as tf.Tensor5D, size, strides, padding), [distinct([1, 4, 5, 6, 2])]);
      await withGradients(
        (x) => tf.maxPool3d(x as tf.Tensor5D, size, strides, padding),
        [integers([1, 4, 5, 4, 2], 0, 2).mul(tf.scalar(1.5))],
      );
    }
    // TensorFlow.js mixes up height and width of windows that are not cubes.
    await withTrueGradient(
      (x) => tf.maxPool3d(x as tf.Tensor5D, [1, 2, 3], 1, 'same'),
      distinct([1, 2, 3, 4, 2]),
      0.04,
    );
    await withGradients((x) => tf.avgPool3d(x as tf.Tensor5D, 2, 2, 'valid'), [tensor([1, 4, 4, 6, 2])]);
    await withTrueGradient(
      (x) => tf.avgPool3d(x as tf.Tensor5D, [2, 3, 2], [1, 2, 1], 'same'),
      tensor([1, 3, 4, 3, 2]),
      0.5,
    );
  });

  it('of a dilation by a filter', async () => {
    for (const [strides, padding, rate] of [
      [1, 'same', 1],
      [2, 'valid', 1],
      [1, 'valid', 2],
      [2, 'same', 1],
    ] as const) {
      await withGradients(
        (x, w) => tf.dilation2d(x as tf.Tensor4D, w as tf.Tensor3D, strides, padding, rate),
        [tensor([2, 6, 7, 2]), tensor([2, 3, 2])],
      );
    }
  });
});

describe('resizing', () => {
  const sizes = [
    [
      [3, 4],
      [6, 12],
    ],
    [
      [3, 4],
      [5, 7],
    ],
    [
      [6, 5],
      [3, 2],
    ],
    [
      [4, 4],
      [1, 1],
    ],
    [
      [1, 1],
      [3, 2],
    ],
    [
      [4, 6],
      [8, 3],
    ],
    [
      [2, 5],
      [2, 5],
    ],
  ] as const;
  const modes = [
    [false, false],
    [true, false],
    [false, true],
  ] as const;

  it.each(['resizeBilinear', 'resizeNearestNeighbor'] as const)(
    '%s, from and to any size, aligned anyhow',
    async (op) => {
      for (const [from, to] of sizes) {
        for (const [alignCorners, halfPixelCenters] of modes) {
          const fn = (x: Tensor): Tensor => tf.image[op](x as tf.Tensor4D, [...to], alignCorners, halfPixelCenters);
          await expectAgreement(fn, [tensor([3, ...from, 2])]);
          // TensorFlow.js's gradients ignore halfPixelCenters, swap the sides of the shape (bilinear) or read the wrong
          // image of a batch (nearest).
          await withTrueGradient(fn, tensor([2, ...from, 2]), 0.5);
        }
      }
      await expectAgreement((x: Tensor) => tf.image[op](x as tf.Tensor4D, [5, 3]), [integers([1, 2, 4, 2], -9, 9)]);
    },
  );

  it('agrees with the plain gradient where that is right', async () => {
    await withGradients((x) => tf.image.resizeBilinear(x as tf.Tensor4D, [7, 9]), [tensor([2, 4, 4, 3])]);
    await withGradients((x) => tf.image.resizeBilinear(x as tf.Tensor4D, [3, 2], true), [tensor([2, 5, 5, 3])]);
    await withGradients((x) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [6, 12]), [tensor([1, 3, 4, 3])]);
    await withGradients((x) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [5, 5], true), [tensor([1, 3, 4, 3])]);
  });

  it('is exact for images of one value', async () => {
    const compiled = jit((x: Tensor) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [5, 7]));
    expect(relativeError((await compiled(tf.fill([1, 2, 3, 1], 0.3))).dataSync(), new Float32Array(35).fill(0.3))).toBe(
      0,
    );
    compiled.dispose();
  });
});

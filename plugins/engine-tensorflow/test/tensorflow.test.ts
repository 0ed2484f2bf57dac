import {
  eagerEngine,
  type Engine,
  NotInstalledError,
  type Scalar,
  type Tensor,
  tensorsOf,
  tf,
  type TensorTree,
  valueAndGrad,
} from '@tweedie/core';
import { relativeDifference, testContext } from '@tweedie/testing';
import { describe, expect, it, vi } from 'vitest';
import { tensorflow } from '../src/index.ts';

/** The engine, or why it is not here. One that is installed and does not load is a failure. */
const found: Engine | NotInstalledError = await Promise.resolve(tensorflow({}, testContext())).catch(
  (error: unknown) => {
    if (error instanceof NotInstalledError) return error;
    throw error;
  },
);
const absent = found instanceof NotInstalledError ? found.message : '';
const engine = found as Engine;

const numbers = (shape: number[], seed = 1): Tensor => tf.randomNormal(shape, 0, 1, 'float32', seed);
const activeBackend = () => tf.engine().backendName;
const backendOf = (x: Tensor) => tf.engine().state.tensorInfo.get(x.dataId)!.backend;

async function expectAgreement(fn: (...args: never[]) => TensorTree, args: readonly TensorTree[]): Promise<void> {
  const any = fn as (...args: readonly TensorTree[]) => TensorTree;
  const [actual, expected] = [
    tensorsOf(await engine.compile(any)(...args)),
    tensorsOf(await eagerEngine().compile(any)(...args)),
  ];
  expect(actual.map(({ dtype, shape }) => [dtype, shape])).toEqual(expected.map(({ dtype, shape }) => [dtype, shape]));
  actual.forEach((x, i) =>
    expect(relativeDifference(x.dataSync(), expected[i]!.dataSync()), `result ${i}`).toBeLessThan(1e-5),
  );
}

it.skipIf(absent === '')(
  'where it is not installed: says how to install it, on CPU, on a GPU, and with a newer TensorFlow',
  () => {
    expect(absent).toMatchInlineSnapshot(
      `"[engine/tensorflow] neither @tensorflow/tfjs-node-gpu nor @tensorflow/tfjs-node is installed. CPU: npm install --no-save @tensorflow/tfjs-node@4.22.0. NVIDIA GPU: npm install --no-save @tensorflow/tfjs-node-gpu@4.22.0. Both bring TensorFlow 2.9; for the newer one of a Python environment, on CPU or GPU: sh plugins/engine-tensorflow/link-tensorflow.sh python3."`,
    );
  },
);

describe.skipIf(absent !== '')(`engine/tensorflow${absent === '' ? '' : `. Skipped: ${absent}`}`, () => {
  it('tells what runs', () => {
    expect(engine.id).toBe('tensorflow');
    const { tensorflow: version, device, ...rest } = engine.facts;
    expect(version).toMatch(/^\d+\.\d+\.\d+/);
    expect(['cpu', 'gpu']).toContain(device);
    expect([{ 'tfjs-node': tf.version_core }, { 'tfjs-node-gpu': tf.version_core }]).toContainEqual(rest);
  });

  it('agrees with the eager engine, gradients and cost included', async () => {
    const fn = (x: Tensor, { a }: { a: Scalar }) => {
      const { value, gradient } = valueAndGrad(
        (z: Tensor) => [z.mul(a).tanh().square().sum([1]), []],
        tf.engine().runKernel('TweedieMark', { x }, { kind: 'forward' }) as Tensor,
      );
      return { value, gradient };
    };
    const x = tf.tensor2d([
      [0.1, -0.2, 0.3],
      [1, 2, -3],
    ]);
    await expectAgreement(fn, [x, { a: 0.7 }]);
    const compiled = engine.compile(fn);
    await compiled(x, { a: 0.7 });
    await compiled(x, { a: 0.8 });
    expect(compiled.cost).toEqual({ forwards: 4, vjps: 0, operatorCalls: 0 });
    expect(compiled.compilations).toBe(1);
  });

  it.each([
    [3, 1, 'same'],
    [3, 2, 'same'],
    [3, 1, 'valid'],
    [1, 1, 0],
    [3, 1, 1],
    [3, 2, 1],
    [5, 1, 1],
    [2, 2, 1],
  ] as const)('convolution %i x %i, stride, padding %s, and both gradients', async (size, stride, padding) => {
    const fn = (x: Tensor, filter: Tensor) => {
      const convolve = (image: Tensor, weights: Tensor): Tensor =>
        tf.conv2d(image as tf.Tensor4D, weights as tf.Tensor4D, stride, padding);
      return {
        value: convolve(x, filter),
        gradients: tf.grads((...[image, weights]: Tensor[]) => convolve(image!, weights!).square().sum())([x, filter]),
      };
    };
    await expectAgreement(fn, [numbers([2, 6, 7, 3]), numbers([size, size, 3, 4], 2)]);
  });

  it('convolution by depth, padding in pixels', async () => {
    const fn = (x: tf.Tensor4D, filter: tf.Tensor4D) =>
      tf.grads((image: Tensor, weights: Tensor) =>
        tf
          .depthwiseConv2d(image as tf.Tensor4D, weights as tf.Tensor4D, 1, 1)
          .square()
          .sum(),
      )([x, filter]);
    await expectAgreement(fn, [numbers([2, 5, 6, 3]), numbers([5, 5, 3, 1], 2)]);
  });

  it('takes what the cpu backend cast without touching its array, as an argument, a constant and a list', async () => {
    for (const dtype of ['int32', 'bool'] as const) {
      const cast = tf.tensor1d([1, 0, 1], dtype).cast('float32');
      await expectAgreement(
        (x: Tensor, factor: Tensor) => [x.mul(cast), x.mul(factor), tf.concat([x, factor]), tf.stack([cast, x])],
        [tf.tensor1d([0.5, 0.5, 0.5]), cast],
      );
    }
  });

  it("leaves core's gradients in place, for every engine", async () => {
    const slope = (x: Tensor, weights: Tensor) => tf.grad((v) => tf.cumsum(v, 0).mul(weights).sum())(x);
    const [x, weights] = [
      tf.zeros([2, 3]),
      tf.tensor2d([
        [1, 2, 3],
        [4, 5, 6],
      ]),
    ];
    for (const { compile } of [engine, eagerEngine()])
      expect(Array.from((await compile(slope)(x, weights)).dataSync())).toEqual([5, 7, 9, 4, 5, 6]);
  });

  it('gathers by indices that it has not seen', async () => {
    await expectAgreement(
      (x: Tensor, i: tf.Tensor1D) => tf.gather(x, i, 1),
      [numbers([2, 3]), tf.tensor1d([2, 0, 2], 'int32')],
    );
  });

  it('gives tensors of the cpu backend that the caller owns, and leaves that backend active', async () => {
    const x = tf.tensor1d([1, 2]);
    const same = engine.compile((v: Tensor) => [v, v.add(1), 3] as const);
    const results = tensorsOf(await same(x));
    expect(results.map((result) => Array.from(result.dataSync()))).toEqual([[1, 2], [2, 3], [3]]);
    for (const result of results) expect(backendOf(result)).toBe(tf.findBackend('cpu'));
    expect(activeBackend()).toBe('cpu');
    tf.dispose(results);
    expect(Array.from(x.dataSync())).toEqual([1, 2]);
  });

  it('uploads a captured weight once, and leaves it usable outside', async () => {
    const upload = vi.spyOn(tf.findBackend('tensorflow') as tf.KernelBackend & { move(): void }, 'move');
    const weight = tf.tensor1d([1, 2, 3]);
    const uploads = () => upload.mock.calls.filter(([id]: readonly unknown[]) => id === weight.dataId).length;
    const scaled = engine.compile((x: Tensor) => x.mul(weight));
    for (let call = 0; call < 3; call++) (await scaled(tf.tensor1d([1, 1, call]))).dispose();
    expect(uploads()).toBe(1);
    expect(Array.from(weight.add(1).dataSync())).toEqual([2, 3, 4]);
    expect(Array.from((await scaled(tf.tensor1d([2, 2, 2]))).dataSync())).toEqual([2, 4, 6]);
    expect(uploads()).toBe(2);
    upload.mockRestore();
  });

  it('leaks nothing, also when the function throws within a gradient', async () => {
    const [w, x] = [numbers([3, 3, 2, 2]), numbers([1, 4, 4, 2])];
    const fine = engine.compile((v: Tensor) =>
      tf.grad((z) => tf.conv2d(z as tf.Tensor4D, w as tf.Tensor4D, 2, 1).sum())(v),
    );
    const broken = engine.compile((v: Tensor) =>
      tf.grad((z) => {
        z.square().tanh();
        throw new Error('on purpose');
      })(v),
    );
    (await fine(x)).dispose();
    const held = () => [
      tf.memory().numTensors,
      tf.memory().numDataBuffers,
      tf.findBackend('tensorflow').numDataIds(),
      tf.findBackend('cpu').numDataIds(),
    ];
    const before = held();
    for (let call = 0; call < 3; call++) {
      (await fine(x)).dispose();
      await expect(broken(x)).rejects.toThrow('on purpose');
      expect(activeBackend()).toBe('cpu');
    }
    expect(held()).toEqual(before);
    expect(tf.memory().numTensors).toBe(before[0]);
  });

  it('names an operation that it lacks, and one that fails', async () => {
    await expect(engine.compile(() => tf.searchSorted(tf.tensor1d([1, 2]), tf.tensor1d([1])))()).rejects.toThrow(
      '[engine/tensorflow] operation SearchSorted: tfjs-node does not have it. Run with --engine onnxruntime, or --engine eager.',
    );
    await expect(
      engine.compile((x: tf.Tensor4D) => tf.avgPool(x, 2, 1, 1))(numbers([1, 4, 4, 1]) as tf.Tensor4D),
    ).rejects.toThrow(/^\[engine\/tensorflow\] operation AvgPool: TF Backend supports only/);
  });
});

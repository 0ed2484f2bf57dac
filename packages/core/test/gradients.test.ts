import { describe, expect, it } from 'vitest';
import {
  eagerEngine,
  type Image,
  meteredModel,
  noiseProcess,
  sampleNorm,
  stopGradient,
  tf,
  valueAndGrad,
  vjp,
  type ScoreModel,
  type LevelTensors,
  type Tensor,
} from '@tweedie/core';

describe('valueAndGrad', () => {
  it('gives value, gradient and what was computed on the way, and leaks nothing', () => {
    const x = tf.tensor4d([3, 4, 0, 0], [2, 1, 2, 1]);
    const before = tf.memory().numTensors;
    const { value, gradient, aux } = valueAndGrad((point: Image) => [sampleNorm(point), { doubled: point.mul(2) }], x);
    expect(Array.from(value.dataSync()).map((v) => Number(v.toFixed(6)))).toEqual([5, 0]);
    // The second sample sits exactly at zero: its gradient is zero, not NaN.
    expect(Array.from(gradient.dataSync()).map((v) => Number(v.toFixed(6)))).toEqual([0.6, 0.8, 0, 0]);
    expect(Array.from(aux.doubled.dataSync())).toEqual([6, 8, 0, 0]);
    tf.dispose([value, gradient, aux.doubled]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('says which kernel has no gradient and what to write instead, not which method asked for one', () => {
    const x = tf.tensor1d([1, 2]);
    const transform = (v: Tensor) => tf.real(tf.spectral.fft(tf.complex(v, v.zerosLike())));
    const message =
      '[gradient] TensorFlow.js has no gradient of its kernel Real, and one through the operator or the model is asked for, with every engine. Keep real and imaginary parts in two channels and write the transform as products with matrices of cosines and sines: "Fourier transforms" in docs/write-a-plugin.md.';
    expect(() => vjp(transform, x)).toThrow(message);
    expect(() => valueAndGrad((v: Tensor) => [transform(v), []], x)).toThrow(message);
    expect(() => vjp((v: Tensor) => tf.unique(v).values, x)).toThrow(
      'no gradient of its kernel Unique, and one through the operator or the model is asked for, with every engine. Write it with operations that have one: docs/jit-kernels.md lists them.',
    );
    expect(() => vjp(() => tf.scalar(1), x)).toThrow('Cannot compute gradient of y=f(x)');
  });

  it('stopGradient hides a value from the tape', () => {
    const x = tf.tensor1d([2]);
    expect(
      tf
        .grad((v: Tensor) => v.mul(stopGradient(v)))(x)
        .dataSync()[0],
    ).toBe(2);
  });
});

describe('the eager engine', () => {
  it('gives numbers of a result as tensors of the caller, and knows arguments by structure', async () => {
    const both = eagerEngine().compile((pair: { readonly a?: Tensor; readonly b?: Tensor }) => [3, pair.a ?? -1]);
    const before = tf.memory().numTensors;
    const a = tf.tensor1d([2]);
    const [three, two] = (await both({ a })) as [Tensor, Tensor];
    expect([three.dataSync()[0], two.dataSync()[0]]).toEqual([3, 2]);
    const without = (await both({ b: a })) as [Tensor, Tensor];
    expect([without[1].dataSync()[0], both.compilations]).toEqual([-1, 2]);
    tf.dispose([a, three, two, ...without]);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('cost marks, eager', () => {
  it('count rows through the network, forward and reverse', async () => {
    const model = meteredModel({
      imageShape: [1, 2, 1],
      process: noiseProcess(),
      weightsHash: () => '',
      predict: (xt: Image, level: LevelTensors) => ({ x0hat: xt.mul(level.signal), epsilon: xt }),
    } satisfies ScoreModel);
    const step = eagerEngine().compile((xt: Image, level: LevelTensors) => {
      const { gradient } = valueAndGrad((x) => [sampleNorm(model.predict(x, level).x0hat), []], xt);
      return { gradient, plain: model.predict(xt, level).x0hat };
    });
    const xt: Image = tf.ones([3, 1, 2, 1]);
    const before = tf.memory().numTensors;
    const { gradient, plain } = await step(xt, noiseProcess().table[5]!);
    expect(step.cost).toEqual({ forwards: 6, vjps: 3, operatorCalls: 0 });
    tf.dispose([gradient, plain]);
    expect(tf.memory().numTensors).toBe(before);
  });
});

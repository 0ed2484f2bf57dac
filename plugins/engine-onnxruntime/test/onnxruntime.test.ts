import { eagerEngine, type Scalar, type Tensor, tf, valueAndGrad } from '@tweedie/core';
import { testContext } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';
import { onnxruntime } from '../src/index.ts';

describe('engine/onnxruntime', () => {
  it('tells what runs', async () => {
    const engine = await onnxruntime({ threads: 2, device: 'cpu' }, testContext());
    expect(engine.id).toBe('onnxruntime');
    expect(engine.facts).toEqual({ onnxruntime: expect.stringMatching(/^\d+\.\d+\.\d+/), device: 'cpu', threads: 2 });
    expect((await onnxruntime({ device: 'cpu' }, testContext())).facts['threads']).toBeGreaterThanOrEqual(1);
  });

  it('agrees with the eager engine, gradients and cost included', async () => {
    const fn = (x: Tensor, { a }: { a: Scalar }) => {
      const { value, gradient } = valueAndGrad(
        (z: Tensor) => [z.mul(a).tanh().square().sum([1]), []],
        tf.engine().runKernel('TweedieMark', { x }, { kind: 'forward' }) as Tensor,
      );
      return { value, gradient };
    };
    const engine = await onnxruntime({ device: 'cpu' }, testContext());
    const [compiled, plain] = [engine.compile(fn), eagerEngine().compile(fn)];
    const x = tf.tensor2d([
      [0.1, -0.2, 0.3],
      [1, 2, -3],
    ]);
    const [actual, expected] = [await compiled(x, { a: 0.7 }), await plain(x, { a: 0.7 })];
    for (const key of ['value', 'gradient'] as const) {
      actual[key].dataSync().forEach((n: number, i: number) => expect(n).toBeCloseTo(expected[key].dataSync()[i]!, 6));
    }
    expect(compiled.cost).toEqual(plain.cost);
    expect(compiled.cost.forwards).toBe(2);
  });

  it('says what to do where a device cannot be used', async () => {
    // On a machine with the driver and the files it works, and the facts say so.
    const outcome = await Promise.resolve(onnxruntime({ device: 'cuda' }, testContext())).then(
      (engine) => engine.facts['device'],
      (error: Error) => error,
    );
    if (outcome === 'cuda') return;
    expect(outcome).toMatchObject({
      name: 'ConfigError',
      message: expect.stringContaining('[engine/onnxruntime] device cuda cannot be used here'),
    });
    expect((outcome as unknown as Error).message).toContain(
      'ONNXRUNTIME_NODE_INSTALL=cuda12 npm explore onnxruntime-node -- node script/install.js',
    );
  });
});

import { type Scalar, type Tensor, tf, valueAndGrad } from '@tweedie/core';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, describe, expect, it } from 'vitest';
import { exportOnnx, jit } from '../src/index.ts';
import { draws, relativeError } from './agreement.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-export-'));
afterAll(() => rmSync(folder, { recursive: true }));

const { tensor } = draws(8);
const filter = tensor([3, 3, 2, 2]) as tf.Tensor4D;
const energy = (x: Tensor, scale: Tensor): Tensor => {
  const y = tf.conv2d(x as tf.Tensor4D, filter, 1, 'same');
  return y.mul(y.sigmoid()).mul(scale).sum([1, 2, 3]);
};
const step = (x: Tensor, step: { readonly level: { readonly sigma: Scalar }; readonly weights: readonly Tensor[] }) => {
  const { value, gradient } = valueAndGrad((z: Tensor) => [energy(z, step.level.sigma), []], x);
  return { value, gradient: gradient.mul(step.weights[0]!), spare: [step.level.sigma] };
};

const feed = (x: Tensor): ort.Tensor => new ort.Tensor('float32', x.dataSync() as Float32Array, x.shape);

describe('an exported function', () => {
  const x = tensor([2, 6, 5, 2]);
  const weight = tensor([2]);

  it('runs in plain ONNX Runtime, gradients included, under the names of arguments and results', async () => {
    const path = join(folder, 'step.onnx');
    const exported = exportOnnx(
      step,
      [[2, 6, 5, 2], { level: { sigma: 1 }, weights: [{ shape: [2], dtype: 'float32' }] }],
      path,
      { names: ['x', 'step'] },
    );
    expect(exported).toEqual({
      path,
      weights: undefined,
      inputs: ['x', 'step.level.sigma', 'step.weights.0'],
      outputs: ['value', 'gradient', 'spare.0'],
    });
    const session = await ort.InferenceSession.create(path);
    expect([session.inputNames, session.outputNames]).toEqual([exported.inputs, exported.outputs]);
    const actual = await session.run({
      x: feed(x),
      'step.level.sigma': new ort.Tensor('float32', [0.7], []),
      'step.weights.0': feed(weight),
    });
    const compiled = jit(step);
    const expected = await compiled(x, { level: { sigma: 0.7 }, weights: [weight] });
    expect(relativeError(actual['value']!.data as Float32Array, expected.value.dataSync())).toBeLessThan(1e-5);
    expect(relativeError(actual['gradient']!.data as Float32Array, expected.gradient.dataSync())).toBeLessThan(1e-5);
    expect(actual['gradient']!.dims).toEqual([2, 6, 5, 2]);
    expect(actual['spare.0']!.data[0]).toBeCloseTo(0.7, 6);
    compiled.dispose();
    // Operations that only ONNX Runtime has would name their domain.
    expect(readFileSync(path).includes('com.microsoft')).toBe(false);
  });

  it('takes tensors as examples, and finds names where there are none', async () => {
    const path = join(folder, 'names.onnx');
    const names = (
      fn: (...args: never) => Tensor | readonly Tensor[] | { readonly [key: string]: Tensor },
      ...args: Tensor[]
    ) => {
      const { inputs, outputs } = exportOnnx(fn, args, path);
      return [inputs, outputs];
    };
    expect(names((a: Tensor, b: Tensor) => [a.add(b), a] as const, weight, weight)).toEqual([
      ['a', 'b'],
      ['result.0', 'result.1'],
    ]);
    expect(exportOnnx((a: Tensor) => a.neg(), [weight], path, { names: ['image'] }).inputs).toEqual(['image']);
    expect(names((...all: Tensor[]) => all[0]!, weight)).toEqual([['argument0'], ['result']]);
    expect(
      names(function (x: Tensor) {
        return { x: x.neg() };
      }, weight),
    ).toEqual([['x'], ['result.x']]);
    expect(names((x: Tensor, scale = weight) => x.mul(scale), weight, weight)).toEqual([
      ['argument0', 'argument1'],
      ['result'],
    ]);
    const session = await ort.InferenceSession.create(path);
    expect(
      Array.from(
        (await session.run({ argument0: feed(weight), argument1: feed(weight) }))['result']!.data as Float32Array,
      ),
    ).toEqual(Array.from(weight.square().dataSync()));
  });

  it('keeps large constants in a file beside it', async () => {
    const wide = tensor([1500, 1000]);
    const path = join(folder, 'wide.onnx');
    const { weights } = exportOnnx((v: Tensor) => v.matMul(wide), [[1, 1500]], path);
    expect(weights).toBe(join(folder, 'wide.weights'));
    const v = tensor([1, 1500]);
    const result = await (await ort.InferenceSession.create(path)).run({ v: feed(v) });
    expect(relativeError(result['result']!.data as Float32Array, v.matMul(wide).dataSync())).toBeLessThan(1e-4);
  });

  it('leaves no tensors, and says why it cannot be written', () => {
    const before = tf.memory().numTensors;
    const negative = (x: Tensor): Tensor => x.neg();
    exportOnnx(negative, [[2]], join(folder, 'negative.onnx'));
    expect(() => exportOnnx(negative, [[2]], join(folder, 'nowhere', 'a.onnx'))).toThrow(
      `[exportOnnx] there is no folder ${join(folder, 'nowhere')}. Make it, or choose another path.`,
    );
    expect(() => exportOnnx(negative, [[2]], join(folder, 'a.txt'))).toThrow(
      'the file must have a name that ends in .onnx',
    );
    mkdirSync(join(folder, 'taken.onnx'));
    expect(() => exportOnnx(negative, [[2]], join(folder, 'taken.onnx'))).toThrow(
      /taken\.onnx cannot be written: EISDIR.* Choose a folder that is yours and has room\./,
    );
    const locked = join(folder, 'locked');
    mkdirSync(locked, { mode: 0o500 });
    if (process.getuid?.() !== 0) expect(() => exportOnnx(negative, [[2]], join(locked, 'a.onnx'))).toThrow('EACCES');
    chmodSync(locked, 0o700);
    expect(existsSync(join(locked, 'a.onnx'))).toBe(
      process.getuid?.() === 0 ? existsSync(join(locked, 'a.onnx')) : false,
    );
    expect(tf.memory().numTensors).toBe(before);
  });
});

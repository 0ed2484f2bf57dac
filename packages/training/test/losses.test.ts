import { type Image, keyedRandom, type Tensor, tf } from '@tweedie/core';
import { jit } from '@tweedie/jit';
import { admUnet, type AdmUnet } from '@tweedie/networks';
import { describe, expect, it } from 'vitest';
import { lossOf } from '../src/losses.ts';
import { initialWeights, layoutOf, tensorsIn } from '../src/parameters.ts';

const edm = { kind: 'edm', sigma_data: 0.5, mean: -1.2, std: 1.2 } as const;
const ddpm = { kind: 'ddpm', noise_schedule: 'linear', diffusion_steps: 1000 } as const;
const nothing: AdmUnet = (x) => tf.zerosLike(x);
const tensors = (columns: { readonly [name: string]: Float32Array }): { readonly [name: string]: Tensor } =>
  Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, tf.tensor1d(values)]));
const mean = (losses: Tensor): number => losses.mean().dataSync()[0] ?? NaN;

describe('losses', () => {
  it.each([
    ['edm', edm, 0.5],
    ['ddpm', ddpm, 1],
  ] as const)('%s is 1 for a network that says nothing, on data of the right spread', (_, kind, std) => {
    const loss = lossOf(kind, false);
    const count = 2000;
    const shape: [number, number, number, number] = [count, 2, 2, 1];
    const x0: Image = tf.randomNormal(shape, 0, std, 'float32', 1);
    const noise: Image = tf.randomNormal(shape, 0, 1, 'float32', 2);
    const found = mean(loss.of(nothing, x0, noise, tensors(loss.levels(count))));
    // 8,000 squares of normal numbers: a standard error of 0.016.
    expect(Math.abs(found - 1)).toBeLessThan(0.065);
  });

  it('edm is 0 for the denoiser that knows the image', () => {
    const loss = lossOf(edm, false);
    const x0: Image = tf.randomNormal([4, 2, 2, 1], 0, 0.5, 'float32', 1);
    const noise: Image = tf.randomNormal([4, 2, 2, 1], 0, 1, 'float32', 2);
    const columns = tensors(loss.levels(4));
    const sigma = (columns['sigma'] as Tensor).reshape([-1, 1, 1, 1]);
    // F for which D = x0: (x0 - d^2 / (s^2 + d^2) x) sqrt(s^2 + d^2) / (s d).
    const total = sigma.square().add(0.25);
    const wanted = x0
      .sub(x0.add(noise.mul(sigma)).mul(total.reciprocal().mul(0.25)))
      .mul(total.sqrt().div(sigma.mul(0.5)));
    expect(mean(loss.of(() => wanted as Image, x0, noise, columns))).toBeLessThan(1e-9);
  });

  it('draws levels from their distributions', () => {
    const random = keyedRandom('levels');
    const logs = Array.from(lossOf(edm, false).levels(20_000, random)['sigma'] ?? [], Math.log);
    const centre = logs.reduce((sum, value) => sum + value, 0) / logs.length;
    const spread = Math.sqrt(logs.reduce((sum, value) => sum + (value - centre) ** 2, 0) / logs.length);
    expect(centre).toBeCloseTo(-1.2, 1);
    expect(spread).toBeCloseTo(1.2, 1);
    const t = Array.from(lossOf(ddpm, false).levels(20_000, random)['t'] ?? []);
    expect(Math.min(...t)).toBeLessThan(3);
    expect(Math.max(...t)).toBeGreaterThan(996);
    expect(t.every((value) => Number.isInteger(value))).toBe(true);
    expect(t.reduce((sum, value) => sum + value, 0) / t.length).toBeGreaterThan(490);
  });

  it('the hybrid loss is that of the paper', () => {
    // Computed in float64 from the formulas of arXiv:2102.09672 with PyTorch's distributions; T = 50, t = 0, 7, 49.
    const x0 = [
      1, -1, 0.545098, -0.6470588, 0.5137255, 0.2156863, -0.6, -0.1294118, -0.1921569, 0.5607843, -0.6235294, 0.1921569,
    ];
    const noise = [-0.875, 0.3125, 0.4375, -0.0625, 0.9375, 0.8125, 0.5, -0.1875, -0.6875, -1.0625, 0.75, 0.25];
    const epsilon = [-0.375, 0.125, -1.1875, 0.5625, -1.4375, -0.625, 0.125, -0.25, 0.4375, 0, 1.3125, 1.4375];
    const v = [0.4375, 1, -2.1875, 0.1875, -0.9375, -0.3125, -1.0625, 0.8125, -0.5, 0.8125, -0.8125, -1.0625];
    const image = (values: readonly number[]): Image => tf.tensor4d([...values], [3, 2, 2, 1]);
    const loss = lossOf({ ...ddpm, diffusion_steps: 50 }, true);
    const all = loss.levels(50);
    const columns = tensors(
      Object.fromEntries(
        Object.entries(all).map(([name, values]) => [
          name,
          Float32Array.of(values[0] ?? 0, values[7] ?? 0, values[49] ?? 0),
        ]),
      ),
    );
    const output = tf.concat([image(epsilon), image(v)], 3);
    const found = loss.of(() => output, image(x0), image(noise), columns).dataSync();
    [0.9909216, 1.9882654, 1.0550466].forEach((value, i) => expect(found[i]).toBeCloseTo(value, 4));
  });

  it.each([
    ['edm', edm, false],
    ['hybrid', ddpm, true],
  ] as const)('the compiled gradient of every weight is the slope of the %s loss', async (_, kind, learn_sigma) => {
    const config = {
      image_size: 8,
      in_channels: 1,
      num_channels: 32,
      num_res_blocks: 1,
      channel_mult: '1,2',
      patch_size: 2,
      attention_resolutions: 'none',
      conv_resample: false,
      learn_sigma,
    };
    const loss = lossOf(kind, learn_sigma);
    const layout = layoutOf(config);
    const values = initialWeights(layout, keyedRandom('weights'));
    // Nothing may be zero, or gradients behind it are.
    keyedRandom('more')
      .normal('more', layout.size)
      .forEach((number, i) => (values[i] = (values[i] ?? 0) + 0.05 * number));
    const x0 = tf.randomUniform([2, 8, 8, 1], -1, 1, 'float32', 3);
    const noise = tf.randomNormal([2, 8, 8, 1], 0, 1, 'float32', 4);
    const columns = tensors(loss.levels(2));
    type Weights = { readonly [name: string]: Tensor };
    const value = (weights: Weights): Tensor =>
      loss.of(admUnet(config, new Map(Object.entries(weights))), x0 as Image, noise as Image, columns).mean();
    const names = layout.tensors.map(({ name }) => name);
    const gradients = jit((weights: Weights) => {
      const { grads } = tf.valueAndGrads((...list: Tensor[]) =>
        value(Object.fromEntries(names.map((name, i) => [name, list[i] as Tensor]))),
      )(names.map((name) => weights[name] as Tensor));
      return grads as readonly Tensor[];
    });
    const found = await gradients(tensorsIn(values, layout));
    const compiled = jit(value);
    const at = async (shifted: Float32Array): Promise<number> =>
      (await compiled(tensorsIn(shifted, layout))).dataSync()[0] ?? NaN;
    for (const [i, { name, begin, end }] of layout.tensors.entries()) {
      const gradient = found[i]?.dataSync() as Float32Array;
      // Along the gradient itself, where the slope is largest and so least lost in rounding.
      const norm = Math.hypot(...gradient);
      if (norm < 1e-3) continue;
      const step = Math.min(0.01, 0.02 / norm);
      const moved = (sign: number): Float32Array => {
        const copy = values.slice();
        for (let k = begin; k < end; k++) copy[k] = (copy[k] ?? 0) + (sign * step * (gradient[k - begin] ?? 0)) / norm;
        return copy;
      };
      const slope = ((await at(moved(1))) - (await at(moved(-1)))) / (2 * step);
      expect(Math.abs(slope / norm - 1), name).toBeLessThan(0.03);
    }
    compiled.dispose();
    gradients.dispose();
  });
});

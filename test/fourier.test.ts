import { readFileSync } from 'node:fs';
import { type Tensor, tf } from '@tweedie/core';
import { ModuleKind, transpileModule } from 'typescript';
import { expect, it } from 'vitest';
import { jit } from '@tweedie/jit';

type Fourier = (shape: readonly number[]) => (x: Tensor) => Tensor;

/** The code of the section of docs/write-a-plugin.md that the error about complex numbers names. */
const documented = (): Fourier => {
  const page = readFileSync(new URL('../docs/write-a-plugin.md', import.meta.url), 'utf8');
  const code = /### Fourier transforms[^]*?```ts\n([^]*?)```/.exec(page)![1]!;
  const { outputText } = transpileModule(code, { compilerOptions: { module: ModuleKind.None } });
  return new Function('tf', `${outputText}; return fourier;`)(tf) as Fourier;
};

it('the documented Fourier transform is that of TensorFlow.js, compiles, and has a gradient', async () => {
  const shape = [4, 6, 2];
  const fourier = documented()(shape);
  const x = tf.randomNormal([3, ...shape], 0, 1, 'float32', 1);
  const compiled = await jit(fourier)(x);
  const complex = tf.tidy(() => {
    const [re, im] = tf.unstack(x, 3);
    const rows = tf.spectral.fft(tf.complex(re!, im!));
    const turned = (z: Tensor) => tf.complex(tf.real(z).transpose([0, 2, 1]), tf.imag(z).transpose([0, 2, 1]));
    const all = turned(tf.spectral.fft(turned(rows)));
    return tf.stack([tf.real(all), tf.imag(all)], 3).div(Math.sqrt(4 * 6));
  });
  const far = (a: Tensor, b: Tensor): number => a.sub(b).abs().max().dataSync()[0]!;
  expect(far(compiled, complex)).toBeLessThan(1e-5);
  // Orthonormal: the gradient of || F x ||^2 / 2 is x.
  const gradient = await jit((z: Tensor) => tf.grad((w: Tensor) => fourier(w).square().sum().div(2))(z))(x);
  expect(far(gradient, x)).toBeLessThan(1e-5);
});

it('tf.spectral.fft is refused with what to write instead', async () => {
  const transform = (z: Tensor): Tensor => tf.real(tf.spectral.fft(tf.complex(z, z.zerosLike())));
  await expect(jit(transform)(tf.ones([2, 4]))).rejects.toThrow(
    /cannot be compiled: ONNX Runtime has no complex numbers, and TensorFlow\.js no gradient of them, so that no other engine helps\. Keep real and imaginary parts in two channels .* docs\/write-a-plugin\.md\.$/,
  );
});

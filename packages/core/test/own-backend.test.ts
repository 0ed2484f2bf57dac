import { expect, it } from 'vitest';
import { eagerEngine, ownBackend, type Tensor, tf } from '../src/index.ts';

const filled =
  (value: number): tf.KernelFunc =>
  ({ inputs: { x }, backend }) => ({
    ...x!,
    dataId: (backend as tf.KernelBackend).write(new Float32Array(2).fill(value), x!.shape, 'float32'),
  });
const valuesOn = async (backend: string) => {
  const compiled = eagerEngine({ id: 'mine', facts: {}, backend }).compile((x: Tensor) => x.square().add(x.tanh()));
  return Array.from((await compiled(tf.tensor1d([0, 0]))).dataSync());
};

it('computes with the kernels given, else with those of cpu, which keeps its own', async () => {
  expect(await valuesOn(ownBackend('mine', { Square: filled(5) }))).toEqual([5, 5]);
  expect(await valuesOn(ownBackend('mine', { Tanh: filled(7) }))).toEqual([7, 7]);
  expect(await valuesOn(ownBackend('mine', {}))).toEqual([0, 0]);
  expect(await valuesOn('cpu')).toEqual([0, 0]);
});

it('refuses a kernel that there is not, and the name of another backend', () => {
  expect(() => ownBackend('mine', { Sqare: filled(1) })).toThrow(
    '[mine] TensorFlow.js has no kernel "Sqare". Did you mean Square',
  );
  expect(() => ownBackend('mine', { Nonsense: filled(1) })).toThrow('docs/jit-kernels.md lists them.');
  expect(() => ownBackend('cpu', {})).toThrow(
    '[cpu] is the name of another backend of TensorFlow.js. Choose another name.',
  );
});

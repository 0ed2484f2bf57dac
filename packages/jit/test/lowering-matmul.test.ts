import { type Tensor, tf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { jit } from '../src/index.ts';
import { draws, expectAgreement } from './agreement.ts';

const { tensor, integers, withGradients } = draws(20240604);

describe('products', () => {
  it('matrix products of every orientation', async () => {
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        const a = transposeA ? [4, 3] : [3, 4];
        const b = transposeB ? [5, 4] : [4, 5];
        const fn = (x: Tensor, y: Tensor) => tf.matMul(x, y, transposeA, transposeB);
        await withGradients(fn, [tensor(a), tensor(b)]);
        await withGradients(fn, [tensor([2, ...a]), tensor([2, ...b])]);
        await expectAgreement(fn, [tensor([2, ...a]), tensor(b)]);
      }
    }
    await withGradients((x, v) => tf.dot(x, v), [tensor([3, 4]), tensor([4])]);
    await expectAgreement(
      (x: Tensor, y: Tensor, b: Tensor) => tf.fused.matMul({ a: x, b: y, bias: b, activation: 'relu' }),
      [tensor([3, 4]), tensor([4, 5]), tensor([5])],
    );
  });

  it('of batches that broadcast, of whole numbers, of empty sides', async () => {
    await withGradients((x, y) => tf.matMul(x, y), [tensor([2, 3, 4]), tensor([2, 4, 1])]);
    await expectAgreement((x: Tensor, y: Tensor) => tf.matMul(x, y), [tensor([2, 5, 3, 4]), tensor([1, 4, 2])]);
    // TensorFlow.js takes the wrong matrices where both operands are repeated.
    const compiled = jit((x: Tensor, y: Tensor) =>
      tf.matMul(x, y).sub(tf.matMul(tf.broadcastTo(x, [2, 3, 3, 4]), tf.broadcastTo(y, [2, 3, 4, 2]))),
    );
    expect(Math.max(...(await compiled(tensor([2, 1, 3, 4]), tensor([3, 4, 2]))).abs().dataSync())).toBe(0);
    compiled.dispose();
    await expectAgreement(
      (x: Tensor, y: Tensor) => tf.matMul(x, y),
      [integers([3, 4], -9, 9), integers([4, 2], -9, 9)],
    );
    await withGradients((x, y) => tf.outerProduct(x as tf.Tensor1D, y as tf.Tensor1D), [tensor([3]), tensor([4])]);
  });

  it.each(['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu', 'prelu'] as const)(
    'fused with %s',
    async (activation) => {
      const weights = tensor([5]);
      const prelu = activation === 'prelu' ? { preluActivationWeights: weights } : {};
      const fn = (x: Tensor, y: Tensor, bias: Tensor): Tensor =>
        tf.fused.matMul({ a: x, b: y, bias, activation, leakyreluAlpha: 0.3, ...prelu });
      await expectAgreement(fn, [tensor([3, 4]), tensor([4, 5]), tensor([5])]);
    },
  );

  const lengths: { readonly [letter: string]: number } = { b: 3, i: 2, j: 4, k: 5, l: 1 };
  it.each([
    'ij,jk->ik',
    'bij,bjk->bik',
    'ij->ji',
    'ij->',
    'bij->b',
    'i,i->',
    'i,j->ij',
    'bi,bi->b',
    'bi,i->b',
    'i,bi->b',
    'bij,ij->b',
    'bij,k->bkij',
    'ij,kj->ki',
    'bij,bkj->bik',
    'bl,lk->bk',
    'ijk,bk->jbi',
  ])('einsum %s', async (equation) => {
    const terms = equation.split('->')[0]!.split(',');
    await expectAgreement(
      (...xs: Tensor[]) => tf.einsum(equation, ...xs),
      terms.map((term) => tensor([...term].map((letter) => lengths[letter]!))),
      1e-4,
    );
  });

  it('einsum of sums, where TensorFlow.js forgets to take them', async () => {
    const compiled = jit((x: Tensor, y: Tensor) => tf.einsum('bi,kj->b', x, y).sub(x.sum(1).mul(y.sum())));
    expect(Math.max(...(await compiled(tensor([3, 4]), tensor([2, 5]))).abs().dataSync())).toBeLessThan(1e-4);
    compiled.dispose();
  });

  it('einsum says what it cannot', async () => {
    await expect(
      jit((x: Tensor) => tf.engine().runKernel('Einsum', { 0: x }, { equation: 'ii->i' }) as Tensor)(tensor([3, 3])),
    ).rejects.toThrow("jit: einsum 'ii->i' cannot be compiled: a letter comes twice in one operand.");
  });
});

import { type Image, rowsOf, type Tensor, tf } from '@tweedie/core';
import { jit } from '@tweedie/jit';
import { describe, expect, it } from 'vitest';
import { admUnet, randomAdmWeights } from '../src/index.ts';
import { smallest } from './configurations.ts';

describe('the network', () => {
  const weights = randomAdmWeights(smallest, 3);
  const unet = admUnet(smallest, weights);

  it('takes one timestep for all images, or one each; rows do not meet', () => {
    const x: Image = tf.randomNormal([3, 4, 4, 3], 0, 1, 'float32', 2);
    const t = [3, 10.25, 999];
    const each = unet(x, tf.tensor1d(t));
    t.forEach((value, row) => {
      const alone = unet(tf.slice(x, [row, 0, 0, 0], [1, -1, -1, -1]), tf.scalar(value));
      expect(
        alone
          .sub(tf.slice(each, [row, 0, 0, 0], [1, -1, -1, -1]))
          .abs()
          .max()
          .dataSync()[0],
      ).toBeLessThan(2e-5);
    });
  });

  it('compiled, gives a row the same bits at any place among any neighbours, gradients too', async () => {
    const run = jit((x: Image, cotangent: Image) => {
      const { value, grad } = tf.valueAndGrad((image: Tensor) => unet(image as Image, tf.scalar(300.5)))(x, cotangent);
      return [value, grad];
    });
    const [x, cotangent]: [Image, Image] = [
      tf.randomNormal([3, 4, 4, 3], 0, 1, 'float32', 4),
      tf.randomNormal([3, 4, 4, 6], 0, 1, 'float32', 5),
    ];
    const call = async (order: number[]) => (await run(tf.gather(x, order), tf.gather(cotangent, order))).map(rowsOf);
    const reference = await call([0, 1, 2]);
    for (const order of [
      [2, 0, 1],
      [1, 1, 0],
    ]) {
      const moved = await call(order);
      order.forEach((from, to) => moved.forEach((rows, which) => expect(rows[to]).toEqual(reference[which]![from])));
    }
    expect(run.compilations).toBe(1);
    run.dispose();
  });

  it('refuses images of another size, and weights that lack a tensor', () => {
    expect(() => unet(tf.zeros([1, 8, 8, 3]), tf.scalar(1))).toThrow(
      '[adm-unet] the image is [8, 8, 3], the network takes [4, 4, 3]. Bring the images to the size of the model.',
    );
    const fewer = new Map([...weights].filter(([name]) => name !== 'out.0.bias'));
    expect(() => admUnet(smallest, fewer)(tf.zeros([1, 4, 4, 3]), tf.scalar(1))).toThrow(
      'there is no weight "out.0.bias"',
    );
  });
});

import { tf } from '@tweedie/core';
import { expect, it } from 'vitest';
import { jit } from '../src/index.ts';

// The cpu backend casts by changing the type's name and leaving an Int32Array or a Uint8Array in place.
it.each(['int32', 'bool'] as const)(
  'a float32 tensor that was cast from %s keeps its values, as an argument and as a constant',
  async (dtype) => {
    const cast = tf.tensor1d([1, 0, 1], dtype).cast('float32');
    const x = tf.tensor1d([0.5, 0.5, 0.5]);
    const asConstant = jit((value: tf.Tensor) => value.mul(cast));
    const asArgument = jit((value: tf.Tensor, factor: tf.Tensor) => value.mul(factor));
    expect(Array.from((await asConstant(x)).dataSync())).toEqual([0.5, 0, 0.5]);
    expect(Array.from((await asArgument(x, cast)).dataSync())).toEqual([0.5, 0, 0.5]);
  },
);

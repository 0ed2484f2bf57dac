import { type Image, type Tensor, tf } from '@tweedie/core';

/** A linear map of the last axis, any rank: weight [in, out]. */
export function linear<T extends Tensor>(
  x: T,
  { weight, bias }: { readonly weight: Tensor; readonly bias: Tensor },
): T {
  const [inputs = 1, outputs = 1] = weight.shape;
  const mapped = tf.matMul(x.reshape([-1, inputs]), weight).add(bias);
  return mapped.reshape([...x.shape.slice(0, -1), outputs]);
}

/**
 * Self-attention among the pixels of each image, head by head:
 *   a_i = sum_j softmax_j(q_i . k_j / sqrt(c)) v_j
 * `qkv` [B, H, W, 3 C] holds all q, all k, all v, the channels of a head side by side; the result is [B, H, W, C].
 */
export function attend(qkv: Image, heads: number): Image {
  const [batch, height, width, tripled] = qkv.shape;
  const [pixels, channels] = [height * width, tripled / 3];
  const [q, k, v] = tf
    .split(qkv.reshape([batch, pixels, tripled]), 3, 2)
    .map((part) => part.reshape([batch, pixels, heads, channels / heads]).transpose([0, 2, 1, 3])) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const weights = q
    .mul(1 / Math.sqrt(channels / heads))
    .matMul(k, false, true)
    .softmax();
  return weights.matMul(v).transpose([0, 2, 1, 3]).reshape([batch, height, width, channels]);
}

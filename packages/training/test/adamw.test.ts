import { describe, expect, it } from 'vitest';
import { adamw, freshState, gradientNorm, keptOf, rateAt } from '../src/adamw.ts';

const layout = {
  size: 6,
  tensors: [
    { name: 'w', shape: [2, 2], begin: 0, end: 4 },
    { name: 'b', shape: [2], begin: 4, end: 6 },
  ],
};
const optimizer = { rate: 0.01, warmup: 0, cooldown: 0, betas: [0.9, 0.99], weightDecay: 0.1, clip: 1.5 } as const;

describe('AdamW', () => {
  it('takes the steps of torch.optim.AdamW, gradients clipped by their norm', () => {
    // PyTorch 2.13: two groups, weight decay 0.1 on the matrix and 0 on the vector, lr 0.01, betas 0.9 and 0.99.
    const gradients = [
      [
        [1.546875, -0.296875, -2.171875, 0.5625],
        [-1.078125, -1.40625],
      ],
      [
        [0.40625, 0.84375, -0.71875, -0.40625],
        [-0.59375, 0.1875],
      ],
      [
        [-0.859375, 1.09375, -1.078125, 0.125],
        [-0.5625, 0.375],
      ],
      [
        [-0.890625, -1.515625, 0.375, 1.453125],
        [0.9375, 0.78125],
      ],
    ];
    const state = freshState(Float32Array.of(0.5, -1.25, 2, 0.03125, 0.25, -0.75));
    gradients.forEach((gradient, i) => {
      const scale = Math.min(1, optimizer.clip / gradientNorm(gradient));
      adamw(state, gradient, layout, optimizer, { k: i + 1, rate: optimizer.rate, scale, keep: 0.5 });
    });
    const expected = [0.4783459, -1.25114048, 2.02879524, 0.01989187, 0.28383694, -0.73782003];
    expected.forEach((value, i) => expect(state.weights[i]).toBeCloseTo(value, 6));
  });

  it('averages: half of what was is gone after a half-life', () => {
    const state = freshState(new Float32Array(6));
    state.ema.fill(1);
    const zero = [new Float32Array(4), new Float32Array(2)];
    for (let k = 1; k <= 8; k++)
      adamw(
        state,
        zero,
        layout,
        { ...optimizer, weightDecay: 0 },
        { k, rate: 0, scale: 1, keep: keptOf(128, 16, 1e6) },
      );
    expect(state.ema[0]).toBeCloseTo(0.5, 6);
    // Early on: a twentieth of 1600 images.
    expect(keptOf(128, 16, 1600)).toBeCloseTo(0.5 ** (16 / 80), 12);
  });

  it('warms up and cools down', () => {
    const shaped = { ...optimizer, rate: 1, warmup: 100, cooldown: 200 };
    expect([50, 100, 700, 900, 1000].map((seen) => rateAt(shaped, seen, 1000))).toEqual([0.5, 1, 1, 0.5, 0]);
  });
});

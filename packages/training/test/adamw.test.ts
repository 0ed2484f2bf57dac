import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import wabt from 'wabt';
import { assembled, NUMBERS } from '../src/adamw-kernel.ts';
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
    gradients.forEach((numbers, i) => {
      const gradient = numbers.map((list) => Float32Array.from(list));
      const scale = Math.min(1, optimizer.clip / gradientNorm(gradient));
      adamw(state, gradient, layout, optimizer, { k: i + 1, rate: optimizer.rate, scale, keep: 0.5 });
    });
    const expected = [0.4783459, -1.25114048, 2.02879524, 0.01989187, 0.28383694, -0.73782003];
    expected.forEach((value, i) => expect(state.weights[i]).toBeCloseTo(value, 6));
  });

  it('runs what adamw.wat says', async () => {
    const source = await readFile(new URL('../src/adamw.wat', import.meta.url), 'utf8');
    const { buffer } = (await wabt()).parseWat('adamw.wat', source).toBinary({});
    expect(assembled).toBe(Buffer.from(buffer).toString('base64'));
  });

  it('steps and sums tensors of any length as the formulas do in float64', () => {
    const lengths = [1, 3, NUMBERS + 1, 2 * NUMBERS, 5];
    const numbers = (length: number, seed: number): Float32Array =>
      Float32Array.from({ length }, (_, i) => Math.sin(12.9898 * i + 78.233 * seed));
    const ends = lengths.map((_, i) => lengths.slice(0, i + 1).reduce((sum, length) => sum + length, 0));
    const size = ends.at(-1)!;
    const tensors = lengths.map((length, i) => ({
      name: String(i),
      shape: i % 2 === 0 ? [length, 1] : [length],
      begin: ends[i]! - length,
      end: ends[i]!,
    }));
    const state = {
      weights: numbers(size, 1),
      ema: numbers(size, 2),
      first: numbers(size, 3),
      second: numbers(size, 4),
    };
    state.second.forEach((value, i) => (state.second[i] = value ** 2));
    const before = { ...state, weights: state.weights.slice(), ema: state.ema.slice() };
    const [first, second] = [state.first.slice(), state.second.slice()];
    const gradients = lengths.map((length, i) => numbers(length, 5 + i));
    const squares = gradients.reduce((sum, list) => list.reduce((all, value) => all + value ** 2, sum), 0);
    expect(gradientNorm(gradients) / Math.sqrt(squares)).toBeCloseTo(1, 12);

    adamw(state, gradients, { size, tensors }, optimizer, { k: 3, rate: 0.01, scale: 0.5, keep: 0.9 });
    tensors.forEach(({ begin, end, shape }, index) => {
      for (let i = begin; i < end; i++) {
        const g = 0.5 * gradients[index]![i - begin]!;
        const m = 0.9 * first[i]! + 0.1 * g;
        const v = 0.99 * second[i]! + 0.01 * g * g;
        const moved = m / (1 - 0.9 ** 3) / (Math.sqrt(v / (1 - 0.99 ** 3)) + 1e-8);
        const w = before.weights[i]! - 0.01 * (moved + (shape.length > 1 ? 0.1 * before.weights[i]! : 0));
        const found = [state.first[i]!, state.second[i]!, state.weights[i]!, state.ema[i]!];
        const close = [m, v, w, 0.9 * before.ema[i]! + 0.1 * w].every((value, j) => Math.abs(value - found[j]!) < 5e-6);
        if (!close) expect([index, i, ...found]).toEqual([index, i, m, v, w]);
      }
    });
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

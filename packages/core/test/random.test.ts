import { readFile } from 'node:fs/promises';
import { batchRandom, keyedRandom } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import wabt from 'wabt';
import { normalQuantile } from '../src/normal-quantile.ts';
import { assembled, philox, type Position, WORDS, writeNormals } from '../src/generator.ts';

describe('Philox 4x32-10', () => {
  // Known answers published with Random123 1.14 (file kat_vectors, philox4x32 10).
  it.each([
    [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], 'd16cfe09 94fdcceb 5001e420 24126ea1'],
  ])('counter %j, key %j', ([c0, c1, c2, c3], [k0, k1], expected) => {
    expect(
      Array.from(philox(4, { k0: k0!, k1: k1!, c0: c0!, c1: c1!, c2: c2!, c3: c3! }), (word) =>
        word.toString(16).padStart(8, '0'),
      ).join(' '),
    ).toBe(expected);
  });

  const at = { k0: 8, k1: 9, c1: 5, c2: 6, c3: 7 };

  it('counts on from one block to the next', () => {
    const together = [...philox(26, { ...at, c0: 0xfffffffd })];
    const apart = Array.from({ length: 7 }, (_, i) => [...philox(4, { ...at, c0: (0xfffffffd + i) >>> 0 })]).flat();
    expect(together).toEqual(apart.slice(0, 26));
  });

  it('runs what generator.wat says', async () => {
    const source = await readFile(new URL('../src/generator.wat', import.meta.url), 'utf8');
    const { buffer } = (await wabt()).parseWat('generator.wat', source).toBinary({});
    expect(assembled).toBe(Buffer.from(buffer).toString('base64'));
  });
});

describe('normal quantile', () => {
  // From an independent implementation in float64 (Python's statistics.NormalDist).
  it.each([
    [1.2e-10, -6.33328220821819],
    [1e-9, -5.9978070150076865],
    [1e-6, -4.753424308822899],
    [0.0001, -3.71901648545568],
    [0.01, -2.3263478740408408],
    [0.0749, -1.4402382675279632],
    [0.0751, -1.4388253927525398],
    [0.25, -0.6744897501960817],
    [0.5, 0.0],
    [0.75, 0.6744897501960817],
    [0.9249, 1.4388253927525403],
    [0.975, 1.9599639845400536],
    [0.999999, 4.753424308817089],
    [0.9999999999, 6.361340889697421],
  ])('at %f is %f', (p, expected) => {
    expect(Math.abs(normalQuantile(p) - expected)).toBeLessThan(2e-7 * Math.max(1, Math.abs(expected)));
  });
});

describe('normal numbers', () => {
  const stream = { k0: 1, k1: 2, c1: 0, c3: 0 };
  const far = (count: number, position: Position) => {
    const words = philox(count, position).slice();
    const numbers = new Float32Array(count);
    writeNormals(numbers, 0, count, position);
    return [...numbers].filter((value, i) => {
      const quantile = normalQuantile((words[i]! + 0.5) * 2 ** -32);
      return !(Math.abs(value - quantile) <= 2e-7 * Math.abs(quantile));
    });
  };

  it('are the quantile at each word', () => {
    for (let c2 = 0; c2 < 8; c2++) expect(far(WORDS, { ...stream, c0: 0, c2 })).toEqual([]);
  });

  // Where rare words stand was found by a search of 2^33.
  it.each([
    [3116, 557606, 0],
    [1945, 1358191, 0],
    [860, 89213, 0],
    [272, 2491654, 0],
    [191, 7941785, 0],
    [109, 18755021, 0],
    [35, 4779392, 0],
    [18, 76728096, 0],
    [14, 177905623, 0],
    [7, 119855536, 3],
    [3, 18280422, 0],
    [1, 107909675, 2],
    [0, 9488422, 2],
    [2 ** 32 - 4, 243722598, 5],
    [2 ** 32 - 13, 78634847, 0],
  ])('are the quantile at the word %i', (word, c0, c2) => {
    const position = { ...stream, c0, c2 };
    expect([...philox(4, position)]).toContain(word);
    expect(far(4, position)).toEqual([]);
  });
});

describe('keyed numbers', () => {
  it('are standard normal', () => {
    const values = keyedRandom('test').normal('x', 200_000);
    const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
    const variance = values.reduce((sum, v) => sum + v * v, 0) / values.length;
    const kurtosis = values.reduce((sum, v) => sum + v ** 4, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(values.length));
    expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(2 / values.length));
    expect(Math.abs(kurtosis - 3)).toBeLessThan(4 * Math.sqrt(96 / values.length));
  });

  it('permute', () => {
    const order = keyedRandom('test').permutation('p', 100);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect([...order]).not.toEqual([...order].sort((a, b) => a - b));
  });

  it('belong to a sample, not to its place in a batch', () => {
    const key = (problem: string, sample: number) => ({ seed: 3, problem, sample });
    const alone = batchRandom([key('a', 7)])(12)
      .normal('step', [1, 5])
      .dataSync();
    const together = batchRandom([key('b', 0), key('a', 7), key('a', 8)])(12)
      .normal('step', [3, 5])
      .dataSync();
    expect(Array.from(together.slice(5, 10))).toEqual(Array.from(alone));
    const others = [
      batchRandom([key('a', 7)])(11).normal('step', [1, 5]),
      batchRandom([key('a', 7)])(12).normal('hidden', [1, 5]),
      batchRandom([{ ...key('a', 7), seed: 4 }])(12).normal('step', [1, 5]),
      batchRandom([key('a', 8)])(12).normal('step', [1, 5]),
    ].map((tensor) => Array.from(tensor.dataSync()));
    for (const other of others) expect(other).not.toEqual(Array.from(alone));
  });

  it('take the memory of donated ones, unless something else lives in it', () => {
    const random = batchRandom([{ seed: 3, problem: 'a', sample: 7 }])(12);
    const fresh = random.normal('second', [1, 5]).dataSync().slice();
    const first = random.normal('first', [1, 5]);
    const memory = first.dataSync();
    const second = random.normal('second', [1, 5], first);
    expect(first.isDisposed).toBe(true);
    expect(second.dataSync()).toBe(memory);
    expect(second.dataSync()).toEqual(fresh);

    const clone = second.clone();
    expect(random.normal('third', [1, 5], second).dataSync()).not.toBe(memory);
    expect(clone.dataSync()).toEqual(fresh);
    const other = random.normal('fourth', [1, 4], clone);
    expect(other.shape).toEqual([1, 4]);
    expect(clone.isDisposed).toBe(true);
  });
});

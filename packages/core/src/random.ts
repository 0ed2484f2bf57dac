import { createHash } from 'node:crypto';
import { normalQuantile } from './normal-quantile.ts';
import { philox, PHILOX_WORDS } from './philox.ts';
import { tf } from './tensorflow.ts';
import type { KeyedRandom, StepRandom, Tensor } from './types.ts';

/** The stream of one sample of one problem. Nothing about the method, the batch or the order of work is in it. */
export type SampleKey = { readonly seed: number; readonly problem: string; readonly sample: number };

/** First words of a SHA-256, as a Philox key. */
function keyWords(text: string): readonly [number, number] {
  const digest = createHash('sha256').update(text).digest();
  return [digest.readInt32LE(0), digest.readInt32LE(4)];
}
const purposeWords = new Map<string, number>();
function purposeWord(purpose: string): number {
  const known = purposeWords.get(purpose);
  if (known !== undefined) return known;
  const word = keyWords(`purpose ${purpose}`)[0];
  purposeWords.set(purpose, word);
  return word;
}

type Stream = readonly [k0: number, k1: number, c1: number, c2: number, c3: number];
/** Makes numbers of `count` words, into `target` from `at` on. */
type Convert = (words: Uint32Array, target: Float32Array | Float64Array, at: number, count: number) => void;

/** The largest float32 below 1: what is nearer to 1 would round to it. */
const BELOW_ONE = 1 - 2 ** -24;

/** Uniform in (0, 1), never 0 or 1, in float32 too: (word + 0.5) / 2^32. Number i of a stream is word i. */
const toUniform: Convert = (words, target, at, count) => {
  for (let i = 0; i < count; i++) target[at + i] = Math.min(((words[i] ?? 0) + 0.5) * 2 ** -32, BELOW_ONE);
};

/** Standard normal by inversion, one word a number. */
const toNormal: Convert = (words, target, at, count) => {
  for (let i = 0; i < count; i++) target[at + i] = normalQuantile(((words[i] ?? 0) + 0.5) * 2 ** -32);
};

/** The first `count` numbers of a stream, to `target` from `at` on. */
function fill(convert: Convert, target: Float32Array | Float64Array, at: number, count: number, [k0, k1, c1, c2, c3]: Stream): void {
  for (let from = 0; from < count; from += PHILOX_WORDS) {
    const some = Math.min(count - from, PHILOX_WORDS);
    convert(philox(from >>> 2, c1, c2, c3, k0, k1, (some + 3) >>> 2), target, at + from, some);
  }
}

/** Numbers for what is made once: an operator's mask, the noise of a measurement, a draw from a prior. */
export function keyedRandom(key: string): KeyedRandom {
  const [k0, k1] = keyWords(key);
  const stream = (purpose: string): Stream => [k0, k1, 0, 0, purposeWord(purpose)];
  const uniform = (purpose: string, count: number) => {
    const values = new Float64Array(count);
    fill(toUniform, values, 0, count, stream(purpose));
    return values;
  };
  return {
    normal(purpose, count) {
      const values = new Float32Array(count);
      fill(toNormal, values, 0, count, stream(purpose));
      return values;
    },
    uniform,
    permutation(purpose, count) {
      const draws = uniform(purpose, count);
      return Int32Array.from({ length: count }, (_, i) => i).sort((a, b) => (draws[a] ?? 0) - (draws[b] ?? 0) || a - b);
    },
  };
}

/**
 * The numbers of a batch of samples, one step at a time: Philox key from (seed, problem), counter from (index, step, sample, purpose).
 * `step` is the index of the step, which counts down to 0; the initial state uses the number of steps.
 */
export function batchRandom(keys: readonly SampleKey[]): (step: number) => StepRandom {
  const streams = keys.map(({ seed, problem, sample }) => ({ words: keyWords(`samples ${seed} ${problem}`), sample }));
  return (step) => {
    const draw = (convert: Convert, purpose: string, shape: readonly number[]): Tensor => {
      if (shape[0] !== streams.length) {
        throw new RangeError(`random numbers '${purpose}': the first axis of [${shape.join(', ')}] is not the batch of ${streams.length}.`);
      }
      const each = shape.slice(1).reduce((product, size) => product * size, 1);
      const values = new Float32Array(each * streams.length);
      const c3 = purposeWord(purpose);
      streams.forEach(({ words: [k0, k1], sample }, row) => fill(convert, values, row * each, each, [k0, k1, step, sample, c3]));
      return tf.tensor(values, [...shape]);
    };
    return {
      normal: (purpose, shape) => draw(toNormal, purpose, shape),
      uniform: (purpose, shape) => draw(toUniform, purpose, shape),
    };
  };
}

import { createHash } from 'node:crypto';
import { philox, type Position, WORDS, writeNormals } from './generator.ts';
import { tf } from './tensorflow.ts';
import type { KeyedRandom, SampleKey, StepRandom, Tensor } from './types.ts';
import { sizeOf } from './shapes.ts';

/** The first words of the SHA-256 of a text, as a Philox key. */
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

type Stream = Omit<Position, 'c0'>;

/** Makes the first `count` numbers of a stream, into `target` from `at` on. Number i is made of word i. */
type Fill<T> = (target: T, at: number, count: number, stream: Stream) => void;

/** Fills in parts as large as the generator's memory. */
const inParts =
  <T>(fill: (target: T, at: number, count: number, position: Position) => void): Fill<T> =>
  (target, at, count, { k0, k1, c1, c2, c3 }) => {
    for (let from = 0; from < count; from += WORDS) {
      fill(target, at + from, Math.min(count - from, WORDS), { k0, k1, c0: from >>> 2, c1, c2, c3 });
    }
  };

/** The largest float32 below 1: what is nearer to 1 would round to it. */
const BELOW_ONE = 1 - 2 ** -24;

/** Uniform in (0, 1), never 0 or 1, in float32 too: (word + 0.5) / 2^32. */
const fillUniform = inParts<Float32Array | Float64Array>((target, at, count, position) =>
  philox(count, position).forEach((word, i) => (target[at + i] = Math.min((word + 0.5) * 2 ** -32, BELOW_ONE))),
);

const fillNormal = inParts(writeNormals);

/** Numbers for what is made once: an operator's mask, the noise of a measurement, a draw from a prior. */
export function keyedRandom(key: string): KeyedRandom {
  const [k0, k1] = keyWords(key);
  const stream = (purpose: string): Stream => ({ k0, k1, c1: 0, c2: 0, c3: purposeWord(purpose) });
  const uniform = (purpose: string, count: number) => {
    const values = new Float64Array(count);
    fillUniform(values, 0, count, stream(purpose));
    return values;
  };
  return {
    normal(purpose, count) {
      const values = new Float32Array(count);
      fillNormal(values, 0, count, stream(purpose));
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
 * The numbers of a batch of samples, one step at a time: Philox key from (seed, problem), counter from (index, step,
 * sample, purpose). `step` is the index of the step, which counts down to 0; the initial state uses the number of
 * steps.
 */
export function batchRandom(keys: readonly SampleKey[]): (step: number) => StepRandom {
  const streams = keys.map(({ seed, problem, sample }) => ({ words: keyWords(`samples ${seed} ${problem}`), sample }));
  return (step) => {
    const draw = (fill: Fill<Float32Array>, purpose: string, shape: readonly number[], donated?: Tensor): Tensor => {
      if (shape[0] !== streams.length) {
        throw new RangeError(
          `random numbers '${purpose}': the first axis of [${shape.join(', ')}] is not the batch of ${streams.length}.`,
        );
      }
      const each = sizeOf(shape.slice(1));
      const values = takeMemory(donated, each * streams.length) ?? new Float32Array(each * streams.length);
      const c3 = purposeWord(purpose);
      streams.forEach(({ words: [k0, k1], sample }, row) => {
        fill(values, row * each, each, { k0, k1, c1: step, c2: sample, c3 });
      });
      return tf.tensor(values, [...shape]);
    };
    return {
      keys,
      normal: ((purpose, shape, donated) => draw(fillNormal, purpose, shape, donated)) as StepRandom['normal'],
      uniform: (purpose, shape) => draw(fillUniform, purpose, shape),
    };
  };
}

/** Disposes of a tensor and gives its memory, where nothing else lives in it. */
function takeMemory(tensor: Tensor | undefined, size: number): Float32Array | undefined {
  if (tensor === undefined) return undefined;
  const free = tensor.dtype === 'float32' && tensor.size === size && tf.backend().refCount(tensor.dataId) === 1;
  const values = free ? (tensor.dataSync() as Float32Array) : undefined;
  tensor.dispose();
  return values;
}

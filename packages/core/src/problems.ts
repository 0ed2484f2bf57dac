import { createHash } from 'node:crypto';
import { checkFinite, checkMeasurement, checkMeasurementShape } from './check-measurement.ts';
import { ConfigError } from './errors.ts';
import { poissonMeasurement, poissonSigma } from './poisson.ts';
import { keyedRandom } from './random.ts';
import { decodeSafetensors, encodeSafetensors, safetensorsMetadata, type SafetensorsInput } from './safetensors.ts';
import { tf } from './tensorflow.ts';
import { disposeTree, mapTree, stackTrees } from './trees.ts';
import type { ImagePlace, ImageShape, Measured, Operator, Tensor, TensorTree } from './types.ts';

/**
 * Standard deviation of Gaussian noise in the units of A's output; or Poisson noise (`poissonMeasurement`), of which a
 * white pixel gets 255 rate counts.
 */
export type NoiseLevel = number | { readonly poisson: number };

/** The sigmaY that methods are told: Poisson noise has that of mid-grey, sqrt(2 / (255 rate)). */
export const sigmaOf = (level: NoiseLevel): number => (typeof level === 'number' ? level : poissonSigma(level.poisson));

/**
 * A problem, made once and shared by all methods: the truth, what was drawn for the operator, and the measurement y =
 * A(x0) + sigmaY * noise, or with Poisson noise. No tensor has a batch axis. `hash` is the SHA-256 of its stored bytes.
 */
export type Problem = {
  readonly hash: string;
  readonly name: string;
  readonly operator: string;
  readonly sigmaY: number;
  readonly x0: Tensor;
  readonly y: Tensor;
  readonly drawn: TensorTree;
  /** The class of the image, for models that are conditional on one. */
  readonly label?: number;
};

/**
 * Draws the operator's parameters and the noise, and measures. The random numbers depend on the seed, the image's name
 * and the operator (`operatorKey`: id and options), not on sigmaY nor on the other images, so noise levels are compared
 * on the same draw. Throws ConfigError where the measurement is not finite or has another shape than the operator says.
 */
export function makeProblem(parts: {
  readonly name: string;
  readonly x0: Float32Array;
  readonly imageShape: ImageShape;
  readonly operator: Operator;
  readonly operatorKey: string;
  readonly sigmaY: NoiseLevel;
  readonly seed: number;
  /** Given to the operator, which may keep something for each image: a mask, say. */
  readonly image?: ImagePlace;
  readonly label?: number;
}): Problem {
  const { name, imageShape, operator, operatorKey, sigmaY: level, seed, image, label } = parts;
  if (typeof level !== 'number' && !(level.poisson > 0 && level.poisson < Infinity)) {
    throw new ConfigError(
      'problem',
      `the rate of Poisson noise must be a number > 0, got ${level.poisson}.`,
      'A white pixel gets 255 rate counts; 1 is the noise of an 8-bit picture.',
    );
  }
  const sigmaY = sigmaOf(level);
  if (!(sigmaY >= 0) || !Number.isFinite(sigmaY)) {
    throw new ConfigError(
      'problem',
      `sigmaY must be a number >= 0, got ${sigmaY}.`,
      "Give the noise's standard deviation in the units of A's output.",
    );
  }
  checkMeasurementShape(operator, operatorKey);
  const random = keyedRandom(`problem ${seed} ${name} ${operatorKey}`);
  const drawn = operator.draw(random, image);
  const x0 = tf.tensor3d(parts.x0, [...imageShape]);
  checkFinite('the clean image', 'problem', x0, name, 'Give another image.');
  const y = tf.tidy(() => {
    const batch = stackTrees([drawn]);
    const clean = operator.forward(tf.expandDims(x0), batch);
    const noise =
      typeof level === 'number'
        ? tf.tensor(random.normal('noise', clean.size), clean.shape).mul(level)
        : poissonMeasurement(clean, level.poisson, random).sub(clean);
    return clean.add(operator.shapeNoise?.(noise, batch) ?? noise).squeeze([0]);
  });
  checkMeasurement(y, operator, operatorKey, name);
  const problem = { name, operator: operatorKey, sigmaY, x0, y, drawn, ...(label === undefined ? {} : { label }) };
  return { ...problem, hash: sha256(encodeProblem(problem)) };
}

export const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

export const disposeProblem = ({ x0, y, drawn }: Problem): void => disposeTree({ x0, y, drawn });

/** Rows of a batch from problems of one operator and noise level. The caller owns the result. */
export function stackProblems(problems: readonly Problem[]): Measured {
  const [first] = problems;
  if (first === undefined) throw new RangeError('stackProblems: needs at least one problem.');
  const labels = problems.flatMap(({ label }) => label ?? []);
  if (labels.length > 0 && labels.length < problems.length) {
    const without = problems.find(({ label }) => label === undefined)?.name;
    throw new ConfigError('problem', `the image "${without}" has no class, and others have one.`, 'Give all or none.');
  }
  return {
    y: tf.stack(problems.map(({ y }) => y)),
    sigmaY: first.sigmaY,
    drawn: stackTrees(problems.map(({ drawn }) => drawn)),
    ...(labels.length > 0 ? { condition: tf.tensor1d(labels) } : {}),
  };
}

const dtypes = { float32: 'F32', int32: 'I32', bool: 'BOOL' } as const;

function stored(tensor: Tensor): SafetensorsInput {
  const dtype = dtypes[tensor.dtype as keyof typeof dtypes];
  if (dtype === undefined) throw new RangeError(`a drawn tensor of type ${tensor.dtype} cannot be stored.`);
  return { dtype, shape: tensor.shape, data: tensor.dataSync() } as SafetensorsInput;
}

/**
 * A problem as safetensors bytes: x0, y, drawn/0, drawn/1, ..., and the structure of `drawn` and the class in the
 * metadata. Without x0 it is what a program gets that must not see the truth; `facts` are added to the metadata.
 */
export function encodeProblem(
  { name, operator, sigmaY, x0, y, drawn, label }: Omit<Problem, 'hash' | 'x0'> & { readonly x0?: Tensor },
  facts: Readonly<Record<string, string>> = {},
): Uint8Array {
  const tensors = new Map<string, SafetensorsInput>([...(x0 ? [['x0', stored(x0)] as const] : []), ['y', stored(y)]]);
  let count = 0;
  const numbers: Record<string, number> = {};
  const structure = mapTree(drawn, (leaf) => {
    const index = count++;
    if (typeof leaf === 'number') numbers[index] = leaf;
    else tensors.set(`drawn/${index}`, stored(leaf));
    return index;
  });
  return encodeSafetensors(tensors, {
    name,
    operator,
    sigmaY: String(sigmaY),
    drawn: JSON.stringify(structure),
    numbers: JSON.stringify(numbers),
    // Without one the bytes, and so the hash, are what they were before there were classes.
    ...(label === undefined ? {} : { label: String(label) }),
    ...facts,
  });
}

/**
 * Reads what `encodeProblem` wrote. Throws ConfigError where `source` is damaged or, with `expectedHash`, not the
 * problem it should be.
 */
export function decodeProblem(bytes: Uint8Array, source: string, expectedHash?: string): Problem {
  const hash = sha256(bytes);
  if (expectedHash !== undefined && hash !== expectedHash) {
    throw new ConfigError(
      'problem',
      `${source} has changed since it was written (SHA-256 ${hash.slice(0, 12)}, expected ${expectedHash.slice(0, 12)}).`,
      'Delete it to have it made again.',
    );
  }
  const tensors = decodeSafetensors(bytes, source);
  const { name = '', operator = '', sigmaY, drawn = '[]', numbers = '{}', label } = safetensorsMetadata(bytes, source);
  const read = (key: string): Tensor => {
    const entry = tensors.get(key);
    if (entry === undefined)
      throw new ConfigError('problem', `${source} has no tensor '${key}'.`, 'Delete it to have it made again.');
    const dtype = entry.dtype === 'I32' ? 'int32' : entry.dtype === 'BOOL' ? 'bool' : 'float32';
    return tf.tensor(entry.data as Float32Array, [...entry.shape], dtype);
  };
  const plain = JSON.parse(numbers) as Record<string, number>;
  const structure = JSON.parse(drawn) as TensorTree;
  return {
    hash,
    name,
    operator,
    sigmaY: Number(sigmaY),
    x0: read('x0'),
    y: read('y'),
    drawn: mapTree(structure, (index) => plain[String(index)] ?? read(`drawn/${String(index)}`)),
    ...(label === undefined ? {} : { label: Number(label) }),
  };
}

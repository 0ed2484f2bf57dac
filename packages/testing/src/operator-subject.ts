import {
  type Engine,
  type Image,
  type ImageShape,
  keyedRandom,
  type Manifest,
  type Measurement,
  type Operator,
  type SpectralForm,
  stackTrees,
  type Tensor,
  tf,
  type TensorTree,
  sizeOf,
} from '@tweedie/core';

export type OperatorSettings = {
  /** Images to try, a block each; default: [8, 8, 3] and the one-dimensional signal [1, 16, 1]. */
  readonly imageShapes?: readonly ImageShape[];
  /**
   * Largest relative difference between the two sides of an equation; default 1e-5. Iterative pseudo-inverses and
   * solves may need more.
   */
  readonly tolerance?: number;
  /** The pseudo-inverse counts small singular values as zero: A^+ A A^+ = A^+ is asked of it, A A^+ A = A is not. */
  readonly truncates?: boolean;
};

/** What the operator checks look at. */
export type OperatorSubject = {
  readonly name: string;
  readonly manifest: Pick<Manifest, 'provides'>;
  readonly operator: Operator;
  readonly imageShape: ImageShape;
  readonly tolerance: number;
  readonly truncates?: boolean;
  /** Makes the operator anew. */
  readonly make: () => Promise<Operator>;
  /** One operator per option set: what the manifest provides, one of them has. */
  readonly siblings: readonly Operator[];
  readonly engine: () => Promise<Engine>;
};

/** The number of rows that go through the operator together. */
export const ROWS = 3;

/** Standard normal numbers, seeded by their purpose. */
function noise(purpose: string, shape: readonly number[]): Tensor {
  const count = sizeOf(shape);
  return tf.tensor(keyedRandom('operator kit').normal(purpose, count), [...shape]);
}

export const images = (purpose: string, { imageShape }: OperatorSubject): Image =>
  noise(purpose, [ROWS, ...imageShape]).as4D(ROWS, ...imageShape);
export const measurements = (purpose: string, { operator }: OperatorSubject): Measurement =>
  noise(purpose, [ROWS, ...operator.measurementShape]);
export const coefficients = (purpose: string, { imageShape: [height, width, channels] }: OperatorSubject): Tensor =>
  noise(purpose, [ROWS, height * width * channels]);

/** What the operator draws for each of three problems, stacked. */
export const drawnRows = ({ operator }: Pick<OperatorSubject, 'operator'>): TensorTree =>
  stackTrees(Array.from({ length: ROWS }, (_, row) => operator.draw(keyedRandom(`operator kit, problem ${row}`))));

export type Outputs = Readonly<Record<string, Tensor>>;

/** The results of everything that an operator has, by name. */
export function outputsOf(operator: Operator, x: Image, y: Measurement, c: Tensor, drawn: TensorTree): Outputs {
  const { adjoint, pseudoInverse, solve, svd, denoisingReference, shapeNoise } = operator;
  const form: SpectralForm | undefined = svd?.(drawn);
  const task = denoisingReference?.(y, drawn);
  return {
    forward: operator.forward(x, drawn),
    ...(adjoint && { adjoint: adjoint(y, drawn) }),
    ...(pseudoInverse && { pseudoInverse: pseudoInverse(y, drawn) }),
    ...(solve && { solve: solve(y, tf.scalar(0.1), drawn) }),
    ...(form && {
      'svd.toSpectral': form.toSpectral(x),
      'svd.fromSpectral': form.fromSpectral(c),
      'svd.measurementToSpectral': form.measurementToSpectral(y),
      'svd.singularValues': form.singularValues,
    }),
    ...(task && {
      'denoisingReference.reference': task.reference,
      'denoisingReference.mask': task.mask,
      'denoisingReference.entriesPerObserved': task.entriesPerObserved,
    }),
    ...(shapeNoise && { shapeNoise: shapeNoise(y, drawn) }),
  };
}

/** The relative difference || a - b || / || b || of two tensors as a whole. */
export const relativeGap = (a: Tensor, b: Tensor): number => {
  const [gap = NaN, norm = NaN] = tf.tidy(() =>
    tf
      .stack([a.sub(b).square().sum(), b.square().sum()])
      .sqrt()
      .dataSync(),
  );
  return norm === 0 ? gap : gap / norm;
};

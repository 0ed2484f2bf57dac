import {
  ConfigError,
  decodeSafetensors,
  type Operator,
  type OperatorFactory,
  showShape,
  sizeOf,
  tf,
} from '@tweedie/core';

export type MatrixOptions = {
  readonly rows?: readonly (readonly number[])[];
  readonly file?: string;
};

const wrong = (what: string, remedy: string) => new ConfigError('operator/matrix', what, remedy);

/**
 * Any linear operator by its matrix: y = A x0 + sigmaY * noise, A [m, d], x0 flattened row-major.
 *   A [B, H, W, C] -> [B, m];   A^T v [B, m] -> [B, H, W, C]
 * Cost of a call: m d multiply-adds. Nothing is drawn; adjoint and forward alone are known, so methods that need a
 * reference picture or a spectral form refuse. Throws ConfigError where the matrix does not fit the images or is not of
 * finite numbers.
 */
export const matrix: OperatorFactory<MatrixOptions> = async ({ rows, file }, { imageShape, files }) => {
  if ((rows === undefined) === (file === undefined))
    throw wrong(
      rows === undefined ? 'neither rows nor file is given.' : 'both rows and file are given.',
      'Give the matrix by value or in a file.',
    );
  const d = sizeOf(imageShape);
  const { m, width, values } = file === undefined ? byValue(rows ?? []) : fromFile(await files.readBytes(file), file);
  if (width !== d)
    throw wrong(
      `rows of ${width} numbers do not fit images of shape ${showShape(imageShape)}, which have ${d} entries.`,
      'Make them agree.',
    );
  const odd = values.find((value) => !Number.isFinite(value));
  if (odd !== undefined) throw wrong(`${odd} in the matrix is no finite number of float32.`, 'Give finite numbers.');
  // A tensor is made at each use: one made while a function is traced belongs to that trace.
  const a = () => tf.tensor2d(values, [m, d]);
  const operator: Operator<Readonly<Record<string, never>>> = {
    linear: true,
    measurementShape: [m],
    draw: () => ({}),
    forward: (x) => x.reshape([-1, d]).matMul(a(), false, true),
    adjoint: (v) => v.matMul(a()).reshape([-1, ...imageShape]),
  };
  return operator;
};

type Matrix = { readonly m: number; readonly width: number; readonly values: Float32Array };

function byValue(rows: readonly (readonly number[])[]): Matrix {
  const [first = []] = rows;
  const other = rows.find((row) => row.length !== first.length);
  if (other !== undefined)
    throw wrong(`rows have ${first.length} and ${other.length} numbers.`, 'Make the rows equally long.');
  return { m: rows.length, width: first.length, values: Float32Array.from(rows.flat()) };
}

function fromFile(bytes: Uint8Array, file: string): Matrix {
  const tensor = decodeSafetensors(bytes, file).get('matrix');
  const [m, width] = tensor?.shape ?? [];
  if (tensor === undefined || tensor.shape.length !== 2 || m === undefined || width === undefined)
    throw wrong(`${file} has no tensor 'matrix' with two axes.`, 'Store it as matrix [m, d].');
  return { m, width, values: Float32Array.from(tensor.data, Number) };
}

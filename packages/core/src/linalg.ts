import { EigenvalueDecomposition, Matrix, SingularValueDecomposition } from 'ml-matrix';

/**
 * Dense float64 linear algebra for closed-form priors and separable operators, on ml-matrix. Matrices are flat,
 * row-major.
 */

export type Eigen = {
  readonly values: Float64Array;
  /** Column j belongs to value j; row-major [n, n]. */ readonly vectors: Float64Array;
};

const matrix = (values: ArrayLike<number>, rows: number, columns: number): Matrix =>
  Matrix.from1DArray(rows, columns, Array.from(values));

/** Eigenvalues and orthonormal eigenvectors of a symmetric [n, n] matrix. About 10 n^3 operations. */
export function symmetricEigen(values: ArrayLike<number>, n: number): Eigen {
  const decomposition = new EigenvalueDecomposition(matrix(values, n, n), { assumeSymmetric: true });
  return {
    values: Float64Array.from(decomposition.realEigenvalues),
    vectors: Float64Array.from(decomposition.eigenvectorMatrix.to1DArray()),
  };
}

/**
 * M = U diag(values) V^T of a square [n, n] matrix: `left` and `right` are orthogonal, row-major [n, n], also where
 * values are zero. About 20 n^3 operations.
 */
export function singularValues(
  m: ArrayLike<number>,
  n: number,
): { readonly left: Float64Array; readonly values: Float64Array; readonly right: Float64Array } {
  const { leftSingularVectors, diagonal, rightSingularVectors } = new SingularValueDecomposition(matrix(m, n, n));
  const flat = (vectors: Matrix) => Float64Array.from(vectors.to1DArray());
  return { left: flat(leftSingularVectors), values: Float64Array.from(diagonal), right: flat(rightSingularVectors) };
}

/** Lower Cholesky factor of a symmetric positive definite [n, n] matrix, or undefined where it is not. */
export function cholesky(values: ArrayLike<number>, n: number): Float64Array | undefined {
  const lower = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = values[i * n + j] ?? 0;
      for (let k = 0; k < j; k++) sum -= (lower[i * n + k] ?? 0) * (lower[j * n + k] ?? 0);
      if (i > j) lower[i * n + j] = sum / (lower[j * n + j] ?? 1);
      else if (sum > 0) lower[i * n + i] = Math.sqrt(sum);
      else return undefined;
    }
  }
  return lower;
}

/** L^-1 b for a lower-triangular L; overwrites b. */
export function solveLower(lower: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
  for (let i = 0; i < n; i++) {
    let sum = b[i] ?? 0;
    for (let k = 0; k < i; k++) sum -= (lower[i * n + k] ?? 0) * (b[k] ?? 0);
    b[i] = sum / (lower[i * n + i] ?? 1);
  }
  return b;
}

/** A [m, n] times x [n]. */
export function multiplyVector(a: ArrayLike<number>, x: ArrayLike<number>, rows: number): Float64Array {
  const columns = x.length;
  return Float64Array.from({ length: rows }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < columns; j++) sum += (a[i * columns + j] ?? 0) * (x[j] ?? 0);
    return sum;
  });
}

/** A [m, n] times B [n, p]. */
export const multiply = (a: ArrayLike<number>, b: ArrayLike<number>, m: number, n: number, p: number): Float64Array =>
  Float64Array.from(
    matrix(a, m, n)
      .mmul(matrix(b, n, p))
      .to1DArray(),
  );

export function transpose(a: ArrayLike<number>, rows: number, columns: number): Float64Array {
  const result = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) result[j * rows + i] = a[i * columns + j] ?? 0;
  return result;
}

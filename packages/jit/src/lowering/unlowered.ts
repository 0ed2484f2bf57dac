/**
 * The kernels of TensorFlow.js that are not compiled: why, and what to do instead. Errors and docs/jit-kernels.md read
 * this table.
 */

import { COMPLEX_REMEDY } from '@tweedie/core';

const outside = 'Compute it outside of the compiled function and pass the result in, or run with --engine eager.';
const dataDependent = `the shape of its result depends on the numbers, and a graph has fixed shapes. ${outside}`;
const complex = `ONNX Runtime has no complex numbers, and TensorFlow.js no gradient of them, so that no other engine helps. ${COMPLEX_REMEDY}`;
const text = `it works on strings. ${outside}`;
const warp =
  'it has no gradient in TensorFlow.js. Write the warp as tf.gather with constant indices or as a product with a constant matrix, which have one.';
const canvas = `it reads or paints a canvas of the browser. ${outside}`;
const unused = (instead: string): string => `no operation of TensorFlow.js runs it; ${instead}.`;

export const unlowered: { readonly [kernel: string]: string } = {
  Complex: complex,
  ComplexAbs: complex,
  FFT: complex,
  IFFT: complex,
  Imag: complex,
  Real: complex,

  NonMaxSuppressionV3: dataDependent,
  NonMaxSuppressionV4: dataDependent,
  NonMaxSuppressionV5: dataDependent,
  RaggedGather: dataDependent,
  RaggedRange: dataDependent,
  RaggedTensorToTensor: dataDependent,
  SparseFillEmptyRows: dataDependent,
  SparseReshape: `it answers with a shape, and a graph has fixed shapes. ${outside}`,
  SparseSegmentMean: dataDependent,
  SparseSegmentSum: dataDependent,
  Unique: dataDependent,

  StaticRegexReplace: text,
  StringNGrams: text,
  StringSplit: text,
  StringToHashBucketFast: text,

  CropAndResize: warp,
  RotateWithOffset: warp,
  Transform: warp,

  Multinomial:
    'it draws random numbers, and a compiled function is pure. Draw outside, for example with batchRandom of @tweedie/core, and pass the noise in.',

  Draw: canvas,
  FromPixels: canvas,

  LowerBound: unused('tf.lowerBound runs SearchSorted'),
  MatrixBandPart: unused('tf.linalg.bandPart runs comparisons and a choice'),
  Pool: unused('tf.pool runs AvgPool or MaxPool'),
  UpperBound: unused('tf.upperBound runs SearchSorted'),
};

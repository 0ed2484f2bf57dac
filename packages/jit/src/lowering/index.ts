/**
 * The lowering of every TensorFlow.js kernel that can be compiled, by the kernel's name. A new one goes into the file
 * of its family.
 */
import { convolutions } from './convolution.ts';
import { depthwise } from './depthwise.ts';
import { dilations } from './dilation.ts';
import { einsums } from './einsum.ts';
import { elementwise } from './elementwise.ts';
import { indexing } from './indexing.ts';
import { logic } from './logic.ts';
import type { Lowerings } from './lowering.ts';
import { products } from './matmul.ts';
import { normalisations } from './normalise.ts';
import { pools } from './pooling.ts';
import { reductions } from './reduction.ts';
import { resizes } from './resize.ts';
import { shapes } from './shape.ts';
import { volumes } from './volume.ts';

/** The lowerings of each family, by its name. */
export const families: { readonly [family: string]: Lowerings } = {
  convolution: convolutions,
  'depthwise convolution': depthwise,
  dilation: dilations,
  einsum: einsums,
  elementwise,
  indexing,
  logic,
  matmul: products,
  normalisation: normalisations,
  pooling: pools,
  reduction: reductions,
  resize: resizes,
  shape: shapes,
  'volume convolution': volumes,
};

export const lowerings: Lowerings = Object.assign({}, ...Object.values(families)) as Lowerings;

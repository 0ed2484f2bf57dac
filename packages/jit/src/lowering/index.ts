/** The lowering of every TensorFlow.js kernel that can be compiled, by the kernel's name. A new one goes into the file of its family. */
import { convolutions } from './convolution.ts';
import { elementwise } from './elementwise.ts';
import { logic } from './logic.ts';
import type { Lowerings } from './lowering.ts';
import { products } from './matmul.ts';
import { reductions } from './reduction.ts';
import { shapes } from './shape.ts';

export const lowerings: Lowerings = { ...elementwise, ...logic, ...reductions, ...products, ...shapes, ...convolutions };

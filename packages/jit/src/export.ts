/** A function, gradients included, as an .onnx file for any runtime of ONNX. */
import { statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { at, ConfigError, disposeTree, messageOf, type Tensor, tf, type TensorTree } from '@tweedie/core';
import { type ModelFiles, writeModel } from './session/model-file.ts';
import { finished } from './passes/finish.ts';
import { parametersOf, pathsOf } from './paths.ts';
import { refuseWhileTracing, trace } from './tracing/trace.ts';

/** The shape and type of a tensor; a tensor can be given in its place. */
export type TensorShape = { readonly shape: readonly number[]; readonly dtype?: 'float32' | 'int32' | 'bool' };
/**
 * An argument given by its shape: a list of numbers is the shape of a float32 tensor, a number stands for any number.
 * The same holds inside of lists and objects of arguments.
 */
export type Shapes =
  number | readonly number[] | TensorShape | Tensor | readonly Shapes[] | { readonly [key: string]: Shapes };

/**
 * The files, of which `weights` has to stay beside `path`, and the names in the order of the leaves of the arguments
 * and of the result.
 */
export interface ExportedModel extends ModelFiles {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface ExportOptions {
  /** Names of the arguments; by default the names of the parameters of `fn`, which a transpiler may have changed. */
  readonly names?: readonly string[];
}

/**
 * Writes `fn`, traced for arguments of these shapes, to `path`. The file keeps to ONNX (operator set 18). Inputs are
 * named after the arguments and the way to a leaf (`x`, `step.level.sigma`), a number is an input of shape []. Outputs
 * are named by the way to them (`value`, `gradient`), `result` where there is only one, `result.0` in a list.
 *
 * @throws ConfigError when the file cannot be written.
 */
export function exportOnnx(
  fn: (...args: never) => TensorTree,
  shapes: readonly Shapes[],
  path: string,
  { names: given }: ExportOptions = {},
): ExportedModel {
  refuseWhileTracing();
  checkPath(path);
  const args = shapes.map(example);
  try {
    const parameters = given ?? parametersOf(fn, args.length);
    const inputNames = args.flatMap((tree, i) => pathsOf(tree, parameters[i] ?? `argument${i}`));
    const traced = trace(fn, args, { names: (index) => at(inputNames, index, 'input name') });
    const { inputs, result } = traced;
    const outputs = finished(traced.outputs, { activations: 'standard' });
    const taken = new Set(inputNames);
    const free = (name: string): string => (taken.has(name) ? free(`result.${name}`) : name);
    const names = pathsOf(result, typeof result === 'number' || Array.isArray(result) ? 'result' : '').map(free);
    return {
      ...written(path, () => writeModel({ inputs, outputs, names }, dirname(path), basename(path, EXTENSION))),
      inputs: inputNames,
      outputs: names,
    };
  } finally {
    disposeTree(args);
  }
}

const EXTENSION = '.onnx';
const where = 'exportOnnx';

function checkPath(path: string): void {
  if (!path.endsWith(EXTENSION) || basename(path) === EXTENSION)
    throw new ConfigError(
      where,
      `the file must have a name that ends in ${EXTENSION}, got "${path}".`,
      'Weights go beside it.',
    );
  const folder = statSync(dirname(path), { throwIfNoEntry: false });
  if (folder?.isDirectory() !== true)
    throw new ConfigError(where, `there is no folder ${dirname(path)}.`, 'Make it, or choose another path.');
}

function written<T>(path: string, write: () => T): T {
  try {
    return write();
  } catch (cause) {
    throw new ConfigError(
      where,
      `${path} cannot be written: ${messageOf(cause)}.`,
      'Choose a folder that is yours and has room.',
      { cause },
    );
  }
}

const isShape = (shapes: Shapes): shapes is readonly number[] =>
  Array.isArray(shapes) && shapes.every((n) => typeof n === 'number');
const isTensorShape = (shapes: object): shapes is TensorShape =>
  'shape' in shapes && Array.isArray(shapes.shape) && shapes.shape.every((n) => typeof n === 'number');

/** Tensors of these shapes, of which only the shapes matter. */
function example(shapes: Shapes): TensorTree {
  if (typeof shapes === 'number') return tf.scalar(0);
  if (isShape(shapes)) return tf.zeros([...shapes]);
  if (Array.isArray(shapes)) return shapes.map(example);
  if (isTensorShape(shapes)) return tf.zeros([...shapes.shape], shapes.dtype ?? 'float32');
  return Object.fromEntries(Object.entries(shapes).map(([key, node]) => [key, example(node as Shapes)]));
}

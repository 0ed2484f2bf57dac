import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeSafetensors, type Image, tf } from '@tweedie/core';
import { testContainer } from '@tweedie/testing';
import { expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-matrix-'));
const container = testContainer(folder);
const make = (options: object) =>
  container.plugin('operator', { id: 'matrix', options: { ...options } }, { imageShape: [1, 3, 1] });
const rows = [
  [1, 2, 3],
  [0, -1, 0.5],
];
const store = (name: string, shape: readonly number[]): string => {
  const data = Float32Array.from(rows.flat());
  writeFileSync(join(folder, name), encodeSafetensors(new Map([['matrix', { dtype: 'F32', shape, data }]])));
  return name;
};

it.each([
  ['by value', { rows }],
  ['from a file', { file: store('a.safetensors', [2, 3]) }],
])('measures A x, %s', async (_name, options) => {
  const operator = await make(options);
  const x = tf.tensor4d([1, 10, 100, -1, 0, 2], [2, 1, 3, 1]) as Image;
  expect([...operator.forward(x, {}).dataSync()]).toEqual([321, 40, 5, 1]);
  expect([...operator.adjoint!(tf.tensor2d([1, 2], [1, 2]), {}).dataSync()]).toEqual([1, 0, 4]);
});

it.each([
  [{}, 'neither rows nor file is given. Give the matrix by value or in a file.'],
  [{ rows, file: 'a.safetensors' }, 'both rows and file are given. Give the matrix by value or in a file.'],
  [{ rows: [[1, 2]] }, 'rows of 2 numbers do not fit images of shape [1, 3, 1], which have 3 entries.'],
  [{ rows: [[1, 2, 3], [1]] }, 'rows have 3 and 1 numbers. Make the rows equally long.'],
  [{ rows: [[1, 2, 1e99]] }, 'Infinity in the matrix is no finite number of float32.'],
  [{ file: store('b.safetensors', [6]) }, "b.safetensors has no tensor 'matrix' with two axes."],
])('says what is wrong: %j', async (options, message) => {
  await expect(make(options)).rejects.toThrow(`[operator/matrix] ${message}`);
});

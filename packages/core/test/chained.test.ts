import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { tf } from '@tweedie/core';
import { expect, it } from 'vitest';

it('every chained method that TensorFlow.js declares is there', () => {
  const folder = join(dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-core')), 'public/chained_ops');
  const declared = readdirSync(folder)
    .filter((file) => file.endsWith('.d.ts') && !file.startsWith('register_all'))
    .flatMap((file) =>
      [...readFileSync(join(folder, file), 'utf8').matchAll(/^        (\w+)[<(]/gm)].map(([, name]) => name!),
    );
  expect(declared.length).toBeGreaterThan(100);
  const prototype = tf.Tensor.prototype as unknown as Record<string, unknown>;
  expect(declared.filter((name) => typeof prototype[name] !== 'function')).toEqual([]);
});

it('chained methods pass their tensor as the first argument', () => {
  const x = tf.tensor1d([1, 2, 3]);
  expect(Array.from(x.sub(1).dataSync())).toEqual([0, 1, 2]);
  expect(Array.from(x.where(tf.tensor1d([1, 0, 1], 'bool'), tf.zerosLike(x)).dataSync())).toEqual([1, 0, 3]);
  expect(x.concat(x).shape).toEqual([6]);
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeSafetensors, type Image, keyedRandom, stackTrees, tf } from '@tweedie/core';
import { encodePng, testOperatorContext } from '@tweedie/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { blur } from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-kernel-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Grey values 0 to 255. */
const save = async (name: string, values: readonly number[], [height, width]: readonly [number, number]) =>
  writeFileSync(
    join(folder, name),
    await encodePng(
      Float32Array.from(values, (value) => value / 127.5 - 1),
      [height, width, 1],
    ),
  );
const make = async (file: string | undefined, more: object = {}) =>
  blur(
    { kernel: 'file', border: 'zero', cutoff: 0.03, ...(file !== undefined && { file }), ...more },
    testOperatorContext([5, 5, 1], folder),
  );
const blurred = async (file: string, x: Image): Promise<Image> => {
  const operator = await make(file);
  return operator.forward(x, stackTrees([operator.draw(keyedRandom('any'))])) as Image;
};
const point = () => {
  const x = new Float32Array(25);
  x[12] = 1;
  return tf.tensor4d(x, [1, 5, 5, 1]);
};

describe('kernel file', () => {
  it('is the picture of a point, whatever its sum', async () => {
    await save('point.png', [0, 50, 0, 0, 100, 50, 0, 0, 0], [3, 3]);
    const found = [...(await blurred('point.png', point())).dataSync()];
    const expected = new Array<number>(25).fill(0);
    // The picture itself, around the point: not its mirror image.
    [expected[7], expected[12], expected[13]] = [0.25, 0.5, 0.25];
    found.forEach((value, k) => expect(value).toBeCloseTo(expected[k]!, 6));
  });

  it('may be wider than high, and a tensor', async () => {
    const data = Float32Array.of(1, 0, 0, 2, 1);
    writeFileSync(
      join(folder, 'wide.safetensors'),
      encodeSafetensors(new Map([['kernel', { dtype: 'F32', shape: [1, 5], data }]])),
    );
    const found = [...(await blurred('wide.safetensors', point())).dataSync()].slice(10, 15);
    found.forEach((value, k) => expect(value).toBeCloseTo(data[k]! / 4, 6));
  });

  it('is refused where it is none', async () => {
    await save('even.png', [1, 1], [1, 2]);
    await expect(make('even.png')).rejects.toThrow(
      `[operator/blur] the kernel ${join(folder, 'even.png')} is 1 high and 2 wide, and a kernel has a tap in its middle. Give it odd sides: add a row or a column of black (0).`,
    );
    await save('black.png', [0, 0, 0], [1, 3]);
    await expect(make('black.png')).rejects.toThrow('black.png have sum 0. Their sum must be above 0.');
    writeFileSync(join(folder, 'red.png'), await encodePng(Float32Array.of(1, -1, -1), [1, 1, 3]));
    await expect(make('red.png')).rejects.toThrow(
      'has colours, and one kernel blurs all channels. Give a grey picture.',
    );
    await expect(make(undefined)).rejects.toThrow('kernel file needs the option file.');
    await expect(make('black.png', { size: 3 })).rejects.toThrow(
      'option size does not belong to kernel file. Its options are border, cutoff, file.',
    );
  });
});

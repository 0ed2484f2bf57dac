import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  encodeSafetensors,
  type ImageShape,
  keyedRandom,
  makeProblem,
  type Operator,
  type Tensor,
} from '@tweedie/core';
import { testOperatorContext } from '@tweedie/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inpaint, type InpaintOptions } from '../src/index.ts';

type Inpaint = Operator<{ readonly mask: Tensor }>;
const imageShape: ImageShape = [1, 4, 1];
const folder = mkdtempSync(join(tmpdir(), 'tweedie-mask-files-'));
const masks = { cat: [1, 0, 0, 0], dog: [0, 1, 0, 0], 'owl#1': [0, 0, 1, 1] };

const write = (path: string, data: readonly number[], shape: readonly number[] = [1, data.length]): void =>
  writeFileSync(
    join(folder, path),
    encodeSafetensors(new Map([['mask', { dtype: 'F32', shape: [...shape], data: Float32Array.from(data) }]])),
  );

beforeAll(() => {
  for (const name of ['masks', 'twice', 'empty', 'large']) mkdirSync(join(folder, name));
  for (const [name, mask] of Object.entries(masks)) write(`masks/${name}.safetensors`, mask);
  write('twice/cat.safetensors', masks.cat);
  write('large/cat.safetensors', [1, 0, 1, 1, 1]);
});
afterAll(() => rmSync(folder, { recursive: true }));

const make = async (options: Partial<InpaintOptions>, said: string[] = []) => {
  const tell = (message: string) => void said.push(message);
  return (await inpaint(
    { pattern: 'files', hiddenNoise: 'zero', ...options },
    { ...testOperatorContext(imageShape, folder), warn: tell, note: tell },
  )) as Inpaint;
};
const maskFor = (operator: Inpaint, name: string, index = 0) => [
  ...operator.draw(keyedRandom('any'), { name, index }).mask.dataSync(),
];

describe('a mask for each image', () => {
  it('is found in a folder by the name of the image, endings aside', async () => {
    const said: string[] = [];
    const operator = await make({ files: 'masks' }, said);
    expect(maskFor(operator, 'dog.jpg', 7)).toEqual(masks.dog);
    expect(maskFor(operator, 'cat')).toEqual(masks.cat);
    expect(maskFor(operator, 'owl.webp#1')).toEqual(masks['owl#1']);
    expect(said).toEqual([
      `[operator/inpaint] 3 masks of ${join(folder, 'masks')} hide 2 to 3 of 4 pixels; each is for the image of its name.`,
    ]);
    expect(() => maskFor(operator, 'cow.png')).toThrow(
      `[operator/inpaint] no mask of ${join(folder, 'masks')} is called like the image "cow.png"; there are cat.safetensors, dog.safetensors, owl#1.safetensors. Name each mask after its image, endings aside; or say match: order, which takes the masks as they come.`,
    );
  });

  it('is that at the place of the image where a list is given, or order asked for', async () => {
    const files = ['dog', 'cat'].map((name) => `masks/${name}.safetensors`);
    const operator = await make({ files });
    expect(maskFor(operator, 'cat.png', 0)).toEqual(masks.dog);
    expect(maskFor(operator, 'prior 1', 1)).toEqual(masks.cat);
    expect(() => maskFor(operator, 'prior 2', 2)).toThrow(
      '[operator/inpaint] there are 2 masks in the list of masks, and none for the image "prior 2", which is number 3 of its source. Give a mask for each image, those included that offset passes over.',
    );
    expect(maskFor(await make({ files: 'masks', match: 'order' }), 'prior 1', 1)).toEqual(masks.dog);
    expect(maskFor(await make({ files, match: 'name' }), 'cat.png', 0)).toEqual(masks.cat);
  });

  it('is in the problem and its hash, beside which nothing changes', async () => {
    const operator = await make({ files: 'masks', match: 'order' });
    const x0 = Float32Array.of(0.1, 0.2, 0.3, 0.4);
    const parts = { name: 'p', x0, imageShape, operator, operatorKey: 'k', sigmaY: 0, seed: 0 };
    const at = (index: number) => makeProblem({ ...parts, image: { name: 'p', index } });
    const [first, second, again] = [at(0), at(1), at(0)];
    expect([...second.y.dataSync()]).toEqual([0, Math.fround(0.2), 0, 0]);
    expect(first.hash).toBe(again.hash);
    expect(first.hash).not.toBe(second.hash);
  });

  it('is the first one where no image is named: a draw that stands for all', async () => {
    const operator = await make({ files: 'masks' });
    expect([...operator.draw(keyedRandom('any')).mask.dataSync()]).toEqual(masks.cat);
  });

  it('of another size is for an image of that size, and refused only where this one asks for it', async () => {
    const files = ['large/cat.safetensors', 'masks/dog.safetensors'];
    const operator = await make({ files, match: 'name' });
    expect(maskFor(operator, 'dog.png', 1)).toEqual(masks.dog);
    expect([...operator.draw(keyedRandom('any')).mask.dataSync()]).toEqual(masks.dog);
    expect(() => maskFor(operator, 'cat.png', 0)).toThrow(
      'cat.safetensors has shape [1, 5], the images have [1, 4]. Give a mask of the size of the images.',
    );
  });

  it.each([
    ['no option', {}, 'pattern files needs the option files. Name a folder of masks, or give a list of them.'],
    ['an empty folder', { files: 'empty' }, 'holds no mask: no picture and no .safetensors file.'],
    ['another size', { files: 'large' }, 'cat.safetensors has shape [1, 5], the images have [1, 4].'],
    ['an option of another pattern', { files: 'masks', rate: 0.5 }, 'option rate does not belong to pattern files.'],
  ])('refuses %s', async (_, options, message) => {
    await expect(make(options)).rejects.toThrow(message);
  });

  it('refuses two masks of one name', async () => {
    const files = ['masks/cat.safetensors', 'twice/cat.safetensors'];
    await expect(make({ files, match: 'name' })).rejects.toThrow(
      '[operator/inpaint] masks cat.safetensors and cat.safetensors of the list of masks both belong to an image called "cat". Keep one of the two.',
    );
  });
});

import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodePng, testContext } from '@tweedie/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { folder, type FolderOptions } from '../src/index.ts';

let base = '';
const warnings: string[] = [];
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'tweedie-folder-'));
});
afterAll(() => rm(base, { recursive: true, force: true }));

/** A grey picture whose value grows from left to right, or from a function. */
const picture = (height: number, width: number, value = (_row: number, column: number) => column / (width - 1)) =>
  encodePng(
    Float32Array.from({ length: height * width }, (_, k) => 2 * value(Math.floor(k / width), k % width) - 1),
    [height, width, 1],
  );
const save = async (name: string, content: Uint8Array | string) => {
  const path = join(base, name);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, content);
};
const defaults = { channels: 3, crop: 'centre', seed: 0, unreadable: 'error', recursive: false } as const;
type Given = Partial<FolderOptions> & Pick<FolderOptions, 'path'>;
const load = async (options: Given) =>
  folder(
    { ...defaults, ...options },
    testContext(base, (message) => warnings.push(message)),
  );
const namesOf = async (options: Given) => {
  const set = await load(options);
  return Promise.all(Array.from({ length: set.size }, async (_, k) => (await set.item(k)).name));
};

describe('dataset/folder', () => {
  it('takes the pictures of a folder by name, and those of its folders if asked', async () => {
    for (const name of ['b.png', 'a.png', 'C.PNG', '.hidden.png', 'deep/a.png'])
      await save(`names/${name}`, await picture(4, 4));
    await save('names/notes.txt', 'not a picture');
    expect(await namesOf({ path: 'names', size: 4 })).toEqual(['C.PNG', 'a.png', 'b.png']);
    expect(await namesOf({ path: join(base, 'names'), size: 4, recursive: true })).toEqual([
      'C.PNG',
      'a.png',
      'b.png',
      'deep/a.png',
    ]);
    expect(await namesOf({ path: 'names', size: 4, limit: 2 })).toEqual(['C.PNG', 'a.png']);
  });

  it('takes TIFF and GIF too, and names the kinds that are left out', async () => {
    for (const name of ['a.tif', 'b.TIFF', 'c.gif', 'd.png']) await save(`kinds/${name}`, await picture(4, 4));
    for (const name of ['e.bmp', 'f.heic', 'notes.txt']) await save(`kinds/${name}`, 'not read');
    expect(await namesOf({ path: 'kinds', size: 4 })).toEqual(['a.tif', 'b.TIFF', 'c.gif', 'd.png']);
    expect(warnings.splice(0)).toEqual([
      '[dataset/folder] left out, for PNG, JPEG, WebP, TIFF and GIF are read: e.bmp, f.heic.',
    ]);
  });

  it('gives every picture at its own size where nothing is cropped', async () => {
    await save('own/a.png', await picture(3, 5));
    await save('own/b.png', await picture(6, 2));
    const set = await load({ path: 'own', crop: 'none' });
    expect(set).toMatchObject({ imageShape: [3, 5, 3], size: 2 });
    expect([0, 1].map((index) => set.shapeOf?.(index))).toEqual([
      [3, 5, 3],
      [6, 2, 3],
    ]);
    const { name, x0 } = await set.item(1);
    expect(name).toBe('b.png');
    expect(Array.from(x0)).toEqual(Array.from({ length: 36 }, (_, k) => (k % 6 < 3 ? -1 : 1)));
    expect(() => set.shapeOf?.(2)).toThrow('[dataset/folder] there is no image 2');
    expect((await load({ path: 'own', size: 4 })).shapeOf).toBeUndefined();
    await expect(load({ path: 'own', crop: 'none', size: 4 })).rejects.toThrow(
      '[dataset/folder] size, height and width do not go with crop none. Keep one of the two.',
    );
  });

  it('visits a folder once, however many links lead to it', async () => {
    for (const name of ['a.png', 'deep/b.png', 'deep/deeper/c.png']) await save(`links/${name}`, await picture(4, 4));
    await save('apart/d.png', await picture(4, 4));
    for (const [target, link] of [
      ['links', 'links/deep/up'],
      ['links/deep', 'links/deep/deeper/again'],
      ['apart', 'links/deep/apart'],
      ['links/deep', 'apart/back'],
    ] as const) {
      await symlink(join(base, target), join(base, link), 'junction');
    }
    expect(await namesOf({ path: 'links', size: 4, recursive: true })).toEqual([
      'a.png',
      'deep/apart/d.png',
      'deep/b.png',
      'deep/deeper/c.png',
    ]);
  });

  it('gives images in [-1, 1] of the shape asked for', async () => {
    await save('shapes/wide.png', await picture(8, 16));
    const set = await load({ path: 'shapes', height: 4, width: 6 });
    expect([set.imageShape, set.size]).toEqual([[4, 6, 3], 1]);
    expect(warnings).toEqual([]);
    const { x0 } = await set.item(0);
    expect(x0.length).toBe(4 * 6 * 3);
    expect(x0.every((value) => Math.abs(value) <= 1)).toBe(true);
    expect((await load({ path: 'shapes', size: 4, channels: 1 })).imageShape).toEqual([4, 4, 1]);
  });

  it('crops the centre', async () => {
    await save('centre/bands.png', await picture(4, 12, (_, column) => (column < 4 ? 0 : column < 8 ? 0.5 : 1)));
    const { x0 } = await (await load({ path: 'centre', size: 4, channels: 1 })).item(0);
    expect([...x0].every((value) => Math.abs(value) < 0.01)).toBe(true);
  });

  it('cuts random places that depend on seed and name only', async () => {
    const code = (row: number, column: number) => (row * 16 + column) / 255;
    for (const name of ['a', 'b', 'z']) await save(`random/${name}.png`, await picture(12, 12, code));
    const options = { path: 'random', size: 4, channels: 1, crop: 'random', cropsPerImage: 25 } as const;
    const set = await load(options);
    expect(set.size).toBe(75);
    const corners = new Set<number>();
    for (let k = 0; k < 25; k++) {
      const { name, x0 } = await set.item(k);
      expect(name).toBe(`a.png#${k}`);
      const bytes = [...x0].map((value) => Math.round((value + 1) * 127.5));
      const corner = bytes[0] ?? NaN;
      // Unscaled: the codes of a 4 x 4 block at that corner.
      expect(bytes).toEqual(
        Array.from({ length: 16 }, (_, pixel) => corner + Math.floor(pixel / 4) * 16 + (pixel % 4)),
      );
      corners.add(corner);
    }
    expect(corners.size).toBeGreaterThan(15);
    const crop = async (index: number, seed: number, limit = 3) => [
      ...(await (await load({ ...options, seed, limit })).item(index)).x0,
    ];
    const first = [...(await set.item(3)).x0];
    expect(await crop(3, 0, 1)).toEqual(first);
    expect(await crop(3, 1)).not.toEqual(first);
    expect(await crop(28, 0)).not.toEqual(first);
  });

  it('names every unreadable file, or leaves them out with a warning', async () => {
    const whole = await picture(64, 64, (row, column) => ((row * row * 31 + column * 17) % 97) / 97);
    await save('damaged/good.png', whole);
    await save('damaged/cut.png', whole.subarray(0, whole.length / 2));
    await save('damaged/text.jpg', 'hello');
    const failure = await load({ path: 'damaged', size: 8 }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'ConfigError' });
    expect(String(failure)).toContain('[dataset/folder] 2 of 3 pictures cannot be used:');
    expect(String(failure)).toContain(`[${join(base, 'damaged/cut.png')}] cannot be read as a picture`);
    expect(String(failure)).toContain(`[${join(base, 'damaged/text.jpg')}] cannot be read as a picture`);
    expect(String(failure)).toContain('Repair or remove them, or set unreadable: skip.');

    const set = await load({ path: 'damaged', size: 8, unreadable: 'skip' });
    expect([set.size, (await set.item(0)).name]).toEqual([1, 'good.png']);
    expect(warnings.splice(0)).toEqual([expect.stringContaining('cut.png'), expect.stringContaining('text.jpg')]);
    await rm(join(base, 'damaged/good.png'));
    await expect(load({ path: 'damaged', size: 8, unreadable: 'skip' })).rejects.toThrow(
      '2 of 2 pictures cannot be used',
    );
  });

  it('counts a picture smaller than a random crop as one that cannot be used', async () => {
    await save('small/small.png', await picture(4, 4));
    await save('small/large.png', await picture(9, 9));
    await expect(load({ path: 'small', size: 8, crop: 'random' })).rejects.toThrow(
      'the picture is 4 high and 4 wide, wanted 8 by 8.',
    );
    expect(await namesOf({ path: 'small', size: 8, crop: 'random', unreadable: 'skip' })).toEqual(['large.png']);
  });

  it('says what is wrong with its options and its folder', async () => {
    await mkdir(join(base, 'empty/inner'), { recursive: true });
    await save('file', '');
    await expect(load({ path: 'empty', size: 4 })).rejects.toThrow(
      `[dataset/folder] ${join(base, 'empty')} holds no PNG, JPEG, WebP, TIFF or GIF file. Check the path; recursive: true looks into its folders.`,
    );
    await expect(load({ path: 'gone', size: 4 })).rejects.toThrow('does not exist');
    await expect(load({ path: 'file', size: 4 })).rejects.toThrow('is not a folder');
    await expect(load({ path: 'empty', height: 4 })).rejects.toThrow(
      '[dataset/folder] the size of the images is missing. Give size, or height and width.',
    );
    await expect(load({ path: 'empty', size: 4, cropsPerImage: 2 })).rejects.toThrow(
      'cropsPerImage belongs to crop random',
    );
    await save('one/a.png', await picture(4, 4));
    await expect((await load({ path: 'one', size: 4 })).item(1)).rejects.toThrow('there is no image 1');
  });
});

describe('dataset/folder of measured pictures', () => {
  const measured = async (options: Given) =>
    folder({ ...defaults, ...options }, { ...testContext(base, (message) => warnings.push(message)), measured: true });
  /** Red grows from left to right, the other two channels do not. */
  const coloured = (height: number, width: number) =>
    encodePng(
      Float32Array.from({ length: height * width * 3 }, (_, k) => (k % 3 === 0 ? k / (height * width * 3) : 0)),
      [height, width, 3],
    );

  it('takes every picture whole, at its own size or at the one that is given', async () => {
    warnings.splice(0);
    await save('whole/a.png', await coloured(3, 5));
    await save('whole/b.png', await coloured(6, 2));
    const set = await measured({ path: 'whole' });
    expect([0, 1].map((index) => set.shapeOf?.(index))).toEqual([
      [3, 5, 3],
      [6, 2, 3],
    ]);
    expect((await set.item(1)).x0).toEqual((await (await load({ path: 'whole', crop: 'none' })).item(1)).x0);
    await expect(measured({ path: 'whole', height: 3, width: 5 })).rejects.toThrow(
      `[dataset/folder] 1 of 2 pictures cannot be used:\n  [${join(base, 'whole/b.png')}] the picture is 6 high and 2 wide, wanted 3 by 5. Give a picture of that size.`,
    );
    expect(await measured({ path: 'whole', height: 3, width: 5, limit: 1 })).toMatchObject({ imageShape: [3, 5, 3] });
    await expect(measured({ path: 'whole', size: 2, crop: 'random' })).rejects.toThrow(
      '[dataset/folder] measured pictures are taken whole, and crop random takes pieces of them. Leave crop out.',
    );
    expect(warnings.splice(0)).toEqual([]);
  });

  it('names grey pictures in three channels, and refuses colours where grey was measured', async () => {
    await save('mixed/grey.png', await picture(4, 4));
    await save('mixed/red.png', await coloured(4, 4));
    await measured({ path: 'mixed' });
    expect(warnings.splice(0)).toEqual([
      '[dataset/folder] 1 of 2 measured pictures are grey, their values stand for red, green and blue alike: grey.png. If their colours were lost, set channels: 1 and use operator colorize with channels: 1.',
    ]);
    await expect(measured({ path: 'mixed', channels: 1 })).rejects.toThrow(
      `1 of 2 pictures cannot be used:\n  [${join(base, 'mixed/red.png')}] the picture has colours, and one that was measured in grey is wanted (channels: 1). Set channels: 3, or give the grey values that were measured.`,
    );
    expect((await load({ path: 'mixed', size: 4, channels: 1 })).size).toBe(2);
  });
});

describe('lists of dataset/folder', () => {
  it('takes the pictures of a list, in its order, and says which are not there', async () => {
    for (const name of ['one.png', 'two.png', 'deep/three.png', 'other.png'])
      await save(`listed/${name}`, await picture(4, 4));
    await save('names.txt', '# mine\nthree\ntwo.png\n\n');
    expect(await namesOf({ path: 'listed', size: 4, recursive: true, list: join(base, 'names.txt') })).toEqual([
      'deep/three.png',
      'two.png',
    ]);
    await save('more.txt', 'two\nfour\n');
    await expect(load({ path: 'listed', size: 4, list: join(base, 'more.txt') })).rejects.toThrow(
      /1 of the 2 pictures of .*more\.txt are not in the folder, or there more than once: four\./,
    );
    await expect(load({ path: 'listed', size: 4, list: 'imagenet-200' })).rejects.toThrow(
      '200 of the 200 pictures of imagenet-200 are not in the folder, or there more than once: ILSVRC2012_val_00000022, ILSVRC2012_val_00000042,',
    );
  });

  it('gives the class of each picture, and refuses a picture without one', async () => {
    await save('classes.txt', 'one.png 7\ntwo, 3\nother 0\n');
    const { item } = await load({ path: 'listed', size: 4, labels: join(base, 'classes.txt') });
    // By name: one, other, two.
    expect([(await item(0)).label, (await item(1)).label, (await item(2)).label]).toEqual([7, 0, 3]);
    expect('label' in (await (await load({ path: 'listed', size: 4 })).item(0))).toBe(false);
    await save('few.txt', 'one 7\n');
    await expect(load({ path: 'listed', size: 4, labels: join(base, 'few.txt') })).rejects.toThrow(
      /few\.txt\] says no class of 2 of 3 pictures, other\.png, two\.png among them\./,
    );
    await save('odd.txt', 'one seven\n');
    await expect(load({ path: 'listed', size: 4, labels: join(base, 'odd.txt') })).rejects.toThrow(
      'the line "one seven" is not a name and a class. Write: picture.png 3',
    );
  });
});

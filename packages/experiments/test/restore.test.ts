import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keyedRandom, type StoredPicture } from '@tweedie/core';
import { createFiles, encodePicture, encodePng, type PictureEncoding } from '@tweedie/files';
import { restore, sample, type RestoreOptions } from '../src/index.ts';
import { placesOf } from '../src/restore/places.ts';
import { readNoise } from '../src/restore/noise.ts';
import { enlarged } from '../src/restore/results.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-photographs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const files = createFiles(folder);

const told: string[] = [];
beforeEach(() => {
  told.length = 0;
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => told.push(String(text)) > 0);
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** A prior that knows next to nothing: its posterior is the measurement, give or take the noise. */
const vague = (height: number, width: number, channels: number) => ({
  id: 'gmm',
  options: {
    shape: [height, width, channels],
    means: [new Array<number>(height * width * channels).fill(0)],
    variances: [4],
  },
});
const common = {
  method: 'exact',
  scheduler: { id: 'ddpm', options: { steps: 30 } },
  engine: 'eager',
} satisfies Partial<RestoreOptions>;

const save = async (
  name: string,
  values: Float32Array | readonly number[],
  shape: readonly [number, number, number],
  encoding: PictureEncoding = {},
): Promise<string> => {
  const path = join(folder, name);
  writeFileSync(path, await encodePicture(Float32Array.from(values), [...shape], encoding));
  return path;
};
/** A flat colour. */
const tint = (pixels: number): Float32Array =>
  Float32Array.from({ length: 3 * pixels }, (_, k) => [0.1, -0.2, 0.3][k % 3]!);
const stored = (path: string): Promise<StoredPicture> => files.readStored(path);
const count = (height: number, width: number, value: (row: number, column: number) => number): Float32Array =>
  Float32Array.from({ length: height * width }, (_, k) => value(Math.floor(k / width), k % width));

describe('the noise of restore', () => {
  const side = 40;
  const noise = keyedRandom('restore').normal('noise', side * side * 3);
  const smooth = (k: number): number => 0.3 * Math.sin(Math.floor(k / 3) / 300);
  const model = vague(side, side, 3);

  it('is estimated from the picture and told, where nothing says it', async () => {
    const image = await save(
      'noisy.png',
      noise.map((value, k) => smooth(k) + 0.1 * value),
      [side, side, 3],
    );
    const { pictures } = await restore({ ...common, model, image });
    const [{ sigmaY, estimated, noise: words, misfits }] = pictures as [(typeof pictures)[number]];
    expect(estimated).toBe(true);
    expect(Math.abs(sigmaY / 0.1 - 1)).toBeLessThan(0.1);
    expect(words).toBe(`sigmaY ${sigmaY} (${Number(((sigmaY * 255) / 2).toPrecision(3))} of 255 grey levels)`);
    expect(told).toEqual([`Note: [${image}] noise: ${words}, estimated from the picture. --sigma-y says otherwise.\n`]);
    // Drawn from a posterior that is the noise around y, in few steps.
    expect(Math.abs(misfits[0]! - 1)).toBeLessThan(0.6);
  });

  it('is that of the pixels that a mask shows, and of none that are transparent', async () => {
    const left = (k: number): boolean => Math.floor(k / 3) % side < side / 2;
    const pixels = noise.map((value, k) => smooth(k) + (left(k) ? 0.05 : 0.6) * value);
    const image = await save('half.png', pixels, [side, side, 3]);
    const mask = await save(
      'left.png',
      count(side, side, (_, column) => (column < side / 2 ? 1 : -1)),
      [side, side, 1],
    );
    const masked = (await restore({ ...common, model, image, mask })).pictures[0]!;
    expect(Math.abs(masked.sigmaY / 0.05 - 1)).toBeLessThan(0.2);
    expect(told.join('')).toContain('estimated from what is seen of the picture. --sigma-y says otherwise.');
    const opacity = count(side, side, (_, column) => (column < side / 2 ? 1 : 0));
    const veiled = await save('veiled.png', pixels, [side, side, 3], { opacity });
    const { sigmaY } = (await restore({ ...common, model, image: veiled })).pictures[0]!;
    expect(sigmaY).toBe(masked.sigmaY);
  });

  it('leaves out what is cut off at black or white', async () => {
    const image = await save(
      'bright.png',
      noise.map((value, k) => (k % (side * 3) < (side * 3) / 2 ? 0 : 1) + 0.1 * value),
      [side, side, 3],
    );
    const { sigmaY } = (await restore({ ...common, model, image })).pictures[0]!;
    expect(Math.abs(sigmaY / 0.1 - 1)).toBeLessThan(0.15);
  });

  it('is one grey level at least, and asked for where too little is seen', async () => {
    const image = await save('clean.png', new Float32Array(side * side * 3).fill(0.2), [side, side, 3]);
    const small = await save('dot.png', new Float32Array(4 * 4 * 3), [4, 4, 3]);
    await expect(restore({ ...common, model: vague(4, 4, 3), image: small })).rejects.toThrow(
      `[${small}] too few of its pixels are seen side by side for an estimate of its noise. Say it with --sigma-y, in grey levels 5/255, for example.`,
    );
    await expect(restore({ ...common, model, image })).rejects.toThrow('too few of its pixels');
    const faint = await save(
      'faint.png',
      noise.map((value) => 0.003 * value),
      [side, side, 3],
    );
    const { sigmaY } = (await restore({ ...common, model, image: faint })).pictures[0]!;
    expect(sigmaY).toBe(0.00784);
    expect(told.join('')).toContain(
      'noise: less than one grey level is found in the picture; sigmaY 0.00784 (1 of 255 grey levels) is taken. --sigma-y says otherwise.',
    );
  });

  it('is in grey levels where it is a fraction of 255, and else in units of [-1, 1]', async () => {
    expect(readNoise('25/255')).toBeCloseTo(50 / 255, 12);
    expect(readNoise(' 25 / 255.0 ')).toBeCloseTo(50 / 255, 12);
    expect([readNoise('25/127.5'), readNoise(0.1), readNoise('0.1')]).toEqual([25 / 127.5, 0.1, 0.1]);
    expect(readNoise({ poisson: 1 })).toEqual({ poisson: 1 });
    expect(() => readNoise('25 levels')).toThrow('"25 levels" is no standard deviation.');
    const image = await save('given.png', tint(16), [4, 4, 3]);
    const { sigmaY, estimated, noise } = (await restore({ ...common, model: vague(4, 4, 3), image, sigmaY: '25/255' }))
      .pictures[0]!;
    expect([sigmaY, estimated, noise]).toEqual([50 / 255, false, 'sigmaY 0.196 (25 of 255 grey levels)']);
    expect(told).toEqual([]);
    await restore({ ...common, model: vague(4, 4, 3), image, sigmaY: 25 });
    expect(told.join('')).toContain('such noise hides everything, for the images are in [-1, 1].');
  });
});

/** A PNG of 4 x 2 pixels with the profile of Display P3 and EXIF orientation 6; one corner is black. */
const turnedP3 =
  'iVBORw0KGgoAAAANSUhEUgAAAAQAAAACCAIAAADwyuo0AAABP2lDQ1BpY2MAABiVfZC/SwJxGMY/l5V1WBA5Fhyh0FAQOdRSgRcF' +
  'QRFqoDadp2agctz3wuZqqiVqibamGiJoaGjSsTEIHCv8AxoKaujHxVcHLahneT88PC/vywPKY94siHYNCkXHjsyHtXgiqXlrePDT' +
  'TS+DhimsxehcDEAYJWE6dp4feq2iyHk3mjOK6a3amb23O/MWnL4+eApUL/hfajojTOADCJiW7YCiAUMlx5I8C/jNnJEGJQ6M2PFE' +
  'EpQd6a81+EhyqsHnku1YRAelAmhrLZxq4UJ+Q96Vkt/7MsWVKNAFDCBYJoT+R6azntHRGQPZ1+8eRDY03tjyhaHj3nVfguA9hM99' +
  '130/cd2vJfAcQ8Xf3N9+gKmypKa3UIbLCVCvmt7wJPSpcLNpGbZRtzxAW3Ydnk+hJwH9t6CufgN5X15BavQKkAAAALRlWElmSUkq' +
  'AAgAAAAGABIBAwABAAAABgAAABoBBQABAAAAVgAAABsBBQABAAAAXgAAACgBAwABAAAAAgAAABMCAwABAAAAAQAAAGmHBAABAAAA' +
  'ZgAAAAAAAAA4YwAA6AMAADhjAADoAwAABgAAkAcABAAAADAyMTABkQcABAAAAAECAwAAoAcABAAAADAxMDABoAMAAQAAAP//AAAC' +
  'oAQAAQAAAAQAAAADoAQAAQAAAAIAAAAAAAAAbZ57xwAAAAlwSFlzAAAD6AAAA+gBtXtSawAAABVJREFUCJljYGBg2GFvCUEI1g57' +
  'SwBikwhR6wN5RAAAAABJRU5ErkJggg==';

describe('what a result keeps of its picture', () => {
  const values = (largest: number, channels: number, place = 1): Float32Array =>
    Float32Array.from({ length: 16 * channels }, (_, k) => ((k * 7919 * place) % (largest + 1)) / (largest / 2) - 1);
  const options = { ...common, model: vague(4, 4, 3), sigmaY: 1e-6, page: false };

  it('16 bits, in PNG and TIFF', async () => {
    for (const format of ['png', 'tiff'] as const) {
      const image = await save(`deep.${format}`, values(65535, 3), [4, 4, 3], { depth: 16, format });
      const [path = ''] = (await restore({ ...options, image })).written;
      expect(path).toBe(join(folder, `deep.restored.${format === 'tiff' ? 'tif' : 'png'}`));
      const [before, after] = [await stored(image), await stored(path)];
      expect(after.largest).toBe(65535);
      // The noise of 1e-6 is 0.03 of a step of 16 bits; the sampler's last step is of that size too.
      after.values.forEach((value, k) => expect(Math.abs(value - before.values[k]!)).toBeLessThanOrEqual(1));
    }
  });

  it('opacity, and what is transparent to the bit', async () => {
    const opacity = Float32Array.from({ length: 16 }, (_, k) => (k < 6 ? 0 : k < 9 ? 0.4 : 1));
    const image = await save('glass.png', values(255, 3), [4, 4, 3], { opacity });
    const [path = ''] = (await restore({ ...options, sigmaY: 0.3, image })).written;
    const [before, after] = [await stored(image), await stored(path)];
    expect(after.channels).toBe(4);
    expect([...after.values].slice(0, 24)).toEqual([...before.values].slice(0, 24));
    expect(after.values.filter((_, k) => k % 4 === 3)).toEqual(before.values.filter((_, k) => k % 4 === 3));
    expect([...after.values].slice(24)).not.toEqual([...before.values].slice(24));
    expect(told.join('')).toContain(
      'what is transparent stays as it is, and opacity is kept; the prior sees mid-grey there. To fill it in, give the picture as --mask too.',
    );
  });

  it('no hole that was filled in: what a mask hides becomes opaque', async () => {
    const opacity = Float32Array.from({ length: 16 }, (_, k) => (k < 6 ? 0 : 1));
    const image = await save('hole.png', values(255, 3), [4, 4, 3], { opacity });
    const [path = ''] = (await restore({ ...options, image, mask: image })).written;
    const after = await stored(path);
    expect([...after.values.filter((_, k) => k % 4 === 3)]).toEqual(new Array<number>(16).fill(255));
  });

  it('opacity of a picture that is made larger, at its size', async () => {
    const small = Float32Array.from({ length: 4 }, (_, k) => (k === 0 ? 0 : 1));
    const image = await save('small.png', tint(4), [2, 2, 3], { opacity: small });
    const operator = { id: 'super-resolution', options: { factor: 2, kernel: 'block' } };
    const [path = ''] = (await restore({ ...options, sigmaY: 0.01, image, operator })).written;
    const after = await stored(path);
    expect([after.height, after.width, after.channels]).toEqual([4, 4, 4]);
    expect([after.values[3], after.values[63]]).toEqual([0, 255]);
    expect([...enlarged(Float32Array.of(0, 1), [1, 2], [1, 4])]).toEqual([0, 0.25, 0.75, 1]);
  });

  it('grey, whatever the channels of the prior', async () => {
    const image = await save('grey.png', values(255, 1), [4, 4, 1]);
    const [path = ''] = (await restore({ ...options, image })).written;
    expect((await stored(path)).channels).toBe(1);
    const copies = Float32Array.from({ length: 48 }, (_, k) => values(255, 1)[Math.floor(k / 3)]!);
    const triple = await save('triple.png', copies, [4, 4, 3]);
    const [other = ''] = (await restore({ ...options, image: triple })).written;
    // The same measurement, so the same result.
    expect(readFileSync(other).equals(readFileSync(path))).toBe(true);
    (await stored(other)).values.forEach((value, k) =>
      expect(Math.abs(value - Math.round((values(255, 1)[k]! + 1) * 127.5))).toBeLessThanOrEqual(1),
    );
    // With its colours restored it is no longer grey.
    const colours = await restore({ ...options, image, operator: 'colorize' });
    expect((await stored(colours.written[0]!)).channels).toBe(3);
  });

  it('orientation and profile, applied: what is written is upright sRGB', async () => {
    const image = join(folder, 'p3.png');
    writeFileSync(image, Buffer.from(turnedP3, 'base64'));
    const model = vague(4, 2, 3);
    const [path = ''] = (await restore({ ...options, model, image })).written;
    const [given, made] = [readFileSync(image, 'latin1'), readFileSync(path, 'latin1')];
    expect(['iCCP', 'eXIf'].map((chunk) => [given.includes(chunk), made.includes(chunk)])).toEqual([
      [true, true],
      [true, false],
    ]);
    const { height, width, values: read } = await stored(path);
    expect([height, width]).toEqual([4, 2]);
    // The file holds 184, 63, 57 of Display P3: 200, 50, 50 of sRGB.
    [...read.slice(0, 3), ...read.slice(6)].forEach((value, k) =>
      expect(Math.abs(value - [200, 50, 50][k % 3]!)).toBeLessThanOrEqual(1),
    );
    // Turned by a quarter: the black corner is at the top right.
    expect([...read.slice(3, 6)].every((value) => value <= 1)).toBe(true);
  });
});

describe('one noise in copies of one channel', () => {
  it('makes the posterior of one channel: its variance is that of one measurement, not of three', async () => {
    const [variance, sigmaY] = [0.25, 0.5];
    // One grey value under a prior of grey pictures alone: every channel has the same share of one direction.
    const grey = { id: 'gmm', options: { shape: [1, 1, 3], means: [[0, 0, 0]], variances: [variance] } };
    const drawn = await sample({
      ...common,
      scheduler: { id: 'ddpm', options: { steps: 400 } },
      model: grey,
      operator: 'identity',
      problem: { y: Float32Array.of(0.6, 0.6, 0.6), alike: true },
      sigmaY,
      samples: 512,
    });
    const values = drawn.samples.map(([value = NaN, ...others]) => {
      for (const other of others) expect(other).toBeCloseTo(value, 5);
      return value;
    });
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const spread = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
    // The mean of three channels has prior variance 0.25 / 3, and is measured once with 0.25.
    const prior = variance / 3;
    expect(Math.abs(mean - (0.6 * prior) / (prior + sigmaY ** 2))).toBeLessThan(0.04);
    expect(spread / ((prior * sigmaY ** 2) / (prior + sigmaY ** 2))).toBeCloseTo(1, 0);
    // | y - x | / sigmaY of the one value.
    expect(drawn.misfits[0]).toBeCloseTo(Math.abs(0.6 - values[0]!) / sigmaY, 4);
  });
});

describe('several samples', () => {
  it('come with their mean and deviation, and a page of all', async () => {
    const image = await save('mean.png', tint(16), [4, 4, 3]);
    const { pictures } = await restore({ ...common, model: vague(4, 4, 3), image, sigmaY: 0.2, samples: 5 });
    const [{ written, page, largestDeviation = 0 }] = pictures as [(typeof pictures)[number]];
    expect(written.map((path) => path.slice(folder.length + 6))).toEqual([
      'restored.png',
      'restored-2.png',
      'restored-3.png',
      'restored-4.png',
      'restored-5.png',
      'restored.mean.png',
      'restored.deviation.png',
    ]);
    const samples = await Promise.all(written.slice(0, 5).map(async (path) => (await stored(path)).values));
    const mean = (await stored(written[5]!)).values;
    mean.forEach((value, k) => {
      const exact = samples.reduce((sum, each) => sum + each[k]!, 0) / 5;
      expect(Math.abs(value - exact)).toBeLessThanOrEqual(1);
    });
    const map = await stored(written[6]!);
    expect([map.channels, Math.max(...map.values)]).toEqual([1, 255]);
    const largest = map.values.indexOf(255);
    const deviations = [0, 1, 2].map((c) => {
      const each = samples.map((values) => values[3 * largest + c]! / 127.5 - 1);
      const center = each.reduce((sum, value) => sum + value, 0) / 5;
      return Math.sqrt(each.reduce((sum, value) => sum + (value - center) ** 2, 0) / 4);
    });
    expect(largestDeviation).toBeCloseTo(deviations.reduce((sum, value) => sum + value, 0) / 3, 1);
    const text = readFileSync(page!, 'utf8');
    expect(text).toContain('mean of 5 samples');
    expect(text).toContain('sigmaY 0.2 (25.5 of 255 grey levels), as it was said');
    expect(text).toContain(`npx tweedie restore ${image} --operator identity`);
    expect(text).not.toMatch(/(src|href)="(?!data:|#)/);
  });

  it('have no page where none is wanted', async () => {
    const image = await save('plain.png', tint(16), [4, 4, 3]);
    const { pictures } = await restore({ ...common, model: vague(4, 4, 3), image, sigmaY: 0.2, page: false });
    expect(pictures[0]?.page).toBeUndefined();
    expect(existsSync(join(folder, 'plain.restored.html'))).toBe(false);
  });
});

describe('a folder', () => {
  const pictures = join(folder, 'scans');
  const masks = join(folder, 'scan-masks');
  mkdirSync(join(pictures, 'inner'), { recursive: true });
  mkdirSync(masks);
  const options = { ...common, model: vague(4, 4, 3), sigmaY: 0.1 };

  it('is restored to a folder, each picture with its mask by name', async () => {
    for (const name of ['b', 'a']) {
      await save(`scans/${name}.png`, tint(16), [4, 4, 3]);
      await save(
        `scan-masks/${name}.png`,
        count(4, 4, (row) => (row < 1 ? -1 : 1)),
        [4, 4, 1],
      );
    }
    writeFileSync(join(pictures, 'notes.txt'), 'no picture');
    const { pictures: done } = await restore({ ...options, image: pictures, mask: masks });
    expect(done.map(({ image }) => image)).toEqual([join(pictures, 'a.png'), join(pictures, 'b.png')]);
    expect(readdirSync(`${pictures}-restored`)).toEqual([
      'a.restored.html',
      'a.restored.png',
      'b.restored.html',
      'b.restored.png',
    ]);
    const out = join(folder, 'elsewhere');
    await restore({ ...options, image: pictures, out, page: false });
    expect(readdirSync(out)).toEqual(['a.restored.png', 'b.restored.png']);
    // Alone or among others, a picture has one result.
    await restore({ ...options, image: join(pictures, 'b.png'), out: join(folder, 'alone.png'), page: false });
    expect(readFileSync(join(folder, 'alone.png')).equals(readFileSync(join(out, 'b.restored.png')))).toBe(true);
    rmSync(join(masks, 'b.png'));
    await expect(restore({ ...options, image: pictures, mask: masks })).rejects.toThrow(
      'is called like the image "b.png"',
    );
  });

  it('without a picture is refused; places are told apart', async () => {
    const empty = join(pictures, 'inner');
    await expect(restore({ ...options, image: empty })).rejects.toThrow(
      `[${empty}] the folder holds no PNG, JPEG, WebP, TIFF or GIF file. Check the path; the folders in it are not looked into.`,
    );
    const paths = (given: readonly string[], out?: string) => placesOf(given, out, 1).map(({ samples }) => samples[0]);
    expect(paths(['x/a.jpg'])).toEqual([join(process.cwd(), 'x/a.restored.png')]);
    expect(paths(['a.tif'], 'b.png')).toEqual([join(process.cwd(), 'b.png')]);
    expect(paths(['a.jpg'], 'b.tiff')).toEqual([join(process.cwd(), 'b.tif')]);
    expect(paths(['a.jpg'], 'b')).toEqual([join(process.cwd(), 'b.png')]);
    expect(paths(['a.jpg'], 'b/')).toEqual([join(process.cwd(), 'b/a.restored.png')]);
    expect(paths(['a.jpg', 'c.tiff'], 'b')).toEqual(
      ['b/a.restored.png', 'b/c.restored.tif'].map((path) => join(process.cwd(), path)),
    );
    expect(() => paths(['a.png'], 'b.jpg')).toThrow('--out b.jpg: results are PNG or TIFF.');
    expect(() => paths(['a.png', 'a.tif'])).toThrow('would both be written to');
  });
});

it('what restore writes is 8-bit sRGB where nothing else was given', async () => {
  const path = join(folder, 'eight.png');
  writeFileSync(path, await encodePng(tint(16), [4, 4, 3]));
  const [out = ''] = (await restore({ ...common, model: vague(4, 4, 3), image: path, sigmaY: 0.1 })).written;
  expect(await stored(out)).toMatchObject({ largest: 255, channels: 3 });
});

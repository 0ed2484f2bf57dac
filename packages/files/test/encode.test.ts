import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodeImage, decodeStored, encodePicture } from '../src/index.ts';

/** The numbers that a file holds, whatever its profile says. */
const storedIn = async (bytes: Uint8Array): Promise<readonly number[]> => {
  const deep = (await sharp(bytes).metadata()).depth === 'ushort';
  const picture = sharp(bytes, { ignoreIcc: true });
  const space = (await picture.metadata()).space ?? '';
  const data = await picture
    .toColourspace(space)
    .raw({ depth: deep ? 'ushort' : 'uchar' })
    .toBuffer();
  return deep ? [...new Uint16Array(Uint8Array.from(data).buffer)] : [...data];
};
const image = (values: readonly number[], largest: number) =>
  Float32Array.from(values, (value) => value / (largest / 2) - 1);

describe('encodePicture', () => {
  const bytes = [255, 0, 0, 12, 200, 77, 128, 128, 128, 1, 2, 3];
  const words = [65535, 0, 0, 12, 51234, 777, 32768, 32768, 32768, 1, 2, 3];

  it.each(['png', 'tiff'] as const)('stores %s of 8 and 16 bits, number for number, as sRGB', async (format) => {
    for (const [values, depth] of [
      [bytes, 8],
      [words, 16],
    ] as const) {
      const file = await encodePicture(image(values, 2 ** depth - 1), [2, 2, 3], { format, depth });
      const found = await sharp(file).metadata();
      expect([found.format, found.depth, found.channels]).toEqual([format, depth === 8 ? 'uchar' : 'ushort', 3]);
      expect(found.icc?.toString('latin1').replaceAll('\0', '')).toContain('sRGB');
      expect(await storedIn(file)).toEqual(values);
      // What was written is read as the same numbers, though sharp itself would convert those of 16 bits.
      expect([...(await decodeStored(file, 'x')).values]).toEqual(values);
    }
  });

  it.each(['png', 'tiff'] as const)('stores grey %s, and opacity beside grey and colour', async (format) => {
    const opacity = Float32Array.of(0, 1);
    for (const depth of [8, 16] as const) {
      const largest = 2 ** depth - 1;
      const grey = await encodePicture(image([3, largest], largest), [1, 2, 1], { format, depth });
      expect((await sharp(grey).metadata()).channels).toBe(1);
      expect([...(await decodeStored(grey, 'x')).values]).toEqual([3, largest]);
      const veiled = await encodePicture(image([3, largest], largest), [1, 2, 1], { format, depth, opacity });
      expect(await decodeStored(veiled, 'x')).toMatchObject({ channels: 4, alpha: true, largest });
      expect([...(await decodeStored(veiled, 'x')).values]).toEqual([3, 3, 3, 0, ...new Array(4).fill(largest)]);
      expect((await sharp(veiled).metadata()).channels).toBe(2);
      const colour = await encodePicture(image([1, 2, 3, 4, 5, 6], largest), [1, 2, 3], { format, depth, opacity });
      expect([...(await decodeStored(colour, 'x')).values]).toEqual([1, 2, 3, 0, 4, 5, 6, largest]);
    }
  });

  it('clips, and refuses what is no picture', async () => {
    expect(await storedIn(await encodePicture(Float32Array.of(-3, 0, 7), [1, 3, 1]))).toEqual([0, 128, 255]);
    await expect(encodePicture(new Float32Array(4), [1, 2, 2])).rejects.toThrow('are no grey or colour picture');
  });
});

describe('a profile of 16 bits', () => {
  const p3 = async (values: readonly number[]): Promise<Buffer> => {
    const words = Uint16Array.from(values, (value) => value * 257);
    // Sharp takes 16 bits for Display P3 throughout, so that these numbers are stored as they are.
    return sharp(words, { raw: { height: 1, width: 2, channels: 3 } })
      .toColourspace('rgb16')
      .withIccProfile('p3')
      .png()
      .toBuffer();
  };

  it('is converted to sRGB', async () => {
    const file = await p3([200, 50, 50, 128, 128, 128]);
    expect(await storedIn(file)).toEqual([200, 50, 50, 128, 128, 128].map((value) => value * 257));
    // By the matrices of Display P3 and sRGB with their common curve: 217.9, 23.7, 40.0.
    const read = await decodeImage(file, 'x', { height: 1, width: 2, channels: 3 });
    const [red = 0, green = 0, blue = 0, ...grey] = Array.from(read, (value) => (value + 1) * 127.5);
    expect(Math.max(Math.abs(red - 217.9), Math.abs(green - 23.7), Math.abs(blue - 40))).toBeLessThan(1.5);
    for (const value of grey) expect(value).toBeCloseTo(128, 1);
    const stored = Array.from((await decodeStored(file, 'x')).values, (value) => value / 257);
    stored.forEach((value, k) => expect(value).toBeCloseTo(((read[k] ?? 0) + 1) * 127.5, 2));
  });

  it('of a turned picture is converted, and the picture turned once', async () => {
    const words = Uint16Array.from([200, 50, 50, 128, 128, 128], (value) => value * 257);
    const turned = await sharp(words, { raw: { height: 1, width: 2, channels: 3 } })
      .toColourspace('rgb16')
      .withIccProfile('p3')
      .withMetadata({ orientation: 6, icc: 'p3' })
      .png()
      .toBuffer();
    const { height, width, values } = await decodeStored(turned, 'x');
    expect([height, width]).toEqual([2, 1]);
    expect(values[3]! / 257).toBeCloseTo(128, 0);
  });
});

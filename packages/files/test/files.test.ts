import { mkdtemp, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { noteOnUnusedRange } from '@tweedie/core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { cacheFolder, createFiles, encodePng } from '../src/index.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tweedie-files-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Top row red, green; bottom row blue, white. */
const four = Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255);
const fourPixels = [1, -1, -1, -1, 1, -1, -1, -1, 1, 1, 1, 1];
const raw = (data: Uint8Array | Uint16Array, height: number, width: number, channels: 1 | 2 | 3 | 4) =>
  sharp(data, { raw: { height, width, channels } });
const save = async (name: string, picture: Promise<Buffer> | Buffer) => {
  await writeFile(join(folder, name), await picture);
  return createFiles(folder).readImage;
};
const bits = (pixels: Float32Array) => [...pixels].map((value) => Number(((value + 1) * 127.5).toFixed(3)));

describe('paths and bytes', () => {
  it('resolves relative, absolute and file: paths', async () => {
    const files = createFiles(folder);
    await writeFile(join(folder, 'note.txt'), 'grün');
    for (const path of [
      'note.txt',
      './note.txt',
      join(folder, 'note.txt'),
      pathToFileURL(join(folder, 'note.txt')).href,
    ]) {
      expect(files.resolve(path)).toBe(join(folder, 'note.txt'));
      expect(await files.readText(path)).toBe('grün');
    }
  });

  it('lists in the order of code units and marks folders', async () => {
    const inner = join(folder, 'inner');
    await mkdir(join(inner, 'sub'), { recursive: true });
    for (const name of ['b.png', 'B.png', 'ä.png', 'a10.png', 'a2.png']) await writeFile(join(inner, name), '');
    await symlink(join(inner, 'sub'), join(inner, 'link'));
    await symlink(join(inner, 'nowhere'), join(inner, 'broken'));
    expect(await createFiles(folder).list('inner')).toEqual([
      'B.png',
      'a10.png',
      'a2.png',
      'b.png',
      'broken',
      'link/',
      'sub/',
      'ä.png',
    ]);
  });

  it('reads a file in parts', async () => {
    const files = createFiles(folder);
    await writeFile(
      join(folder, 'ten'),
      Uint8Array.from({ length: 10 }, (_, k) => k),
    );
    expect(await files.size('ten')).toBe(10);
    expect([...(await files.readRange('ten', 3, 6))]).toEqual([3, 4, 5]);
    expect([...(await files.readRange('ten', 4, 4))]).toEqual([]);
    await expect(files.readRange('ten', 8, 12)).rejects.toThrow(
      `[${join(folder, 'ten')}] cannot be read (it ends at byte 10, 12 were expected).`,
    );
    await expect(files.readRange('gone', 0, 1)).rejects.toThrow(`[${join(folder, 'gone')}] does not exist.`);
    await expect(files.size('gone')).rejects.toThrow(`[${join(folder, 'gone')}] does not exist.`);
  });

  it('says in one line what is wrong with a path', async () => {
    const files = createFiles(folder);
    await writeFile(join(folder, 'file'), '');
    await expect(files.readBytes('gone')).rejects.toThrow(
      `[${join(folder, 'gone')}] does not exist. Check the path; relative paths start at the folder of the experiment.`,
    );
    await expect(files.readBytes('.')).rejects.toThrow(`[${folder}] is a folder, a file is wanted.`);
    await expect(files.list('file')).rejects.toThrow(`[${join(folder, 'file')}] is not a folder.`);
    await expect(files.list('gone')).rejects.toMatchObject({ name: 'ConfigError' });
  });
});

describe('pictures', () => {
  const two = { height: 2, width: 2, channels: 3 } as const;

  it.each(['png', 'webp'] as const)('reads %s as value / 127.5 - 1, row-major', async (format) => {
    const read = await save(`four.${format}`, raw(four, 2, 2, 3).toFormat(format, { lossless: true }).toBuffer());
    expect([...(await read(`four.${format}`, two))]).toEqual(fourPixels);
    expect(await createFiles(folder).imageShape(`four.${format}`)).toEqual([2, 2, 3]);
  });

  it('reads JPEG', async () => {
    const grey = new Uint8Array(16 * 16 * 3).fill(200);
    const read = await save('flat.jpg', raw(grey, 16, 16, 3).jpeg({ quality: 100 }).toBuffer());
    for (const value of bits(await read('flat.jpg', { height: 8, width: 8, channels: 3 })))
      expect(value).toBeCloseTo(200, 4);
  });

  it('applies the EXIF orientation', async () => {
    // Orientation 6: the stored picture is turned a quarter clockwise for display.
    const read = await save('turned.png', raw(four, 2, 2, 3).withMetadata({ orientation: 6 }).png().toBuffer());
    expect([...(await read('turned.png', two))]).toEqual([-1, -1, 1, 1, -1, -1, 1, 1, 1, -1, 1, -1]);
    const wide = new Uint8Array(3 * 5 * 3);
    await save('wide.jpg', raw(wide, 3, 5, 3).withMetadata({ orientation: 6 }).jpeg().toBuffer());
    expect(await createFiles(folder).imageShape('wide.jpg')).toEqual([5, 3, 3]);
  });

  it('puts what is transparent on mid-grey, or on the grey asked for', async () => {
    const pixels = Uint8Array.of(255, 0, 0, 255, 255, 0, 0, 0);
    const read = await save('alpha.png', raw(pixels, 1, 2, 4).png().toBuffer());
    const size = { height: 1, width: 2, channels: 3 } as const;
    expect(bits(await read('alpha.png', size))).toEqual([255, 0, 0, 128, 128, 128]);
    expect(bits(await read('alpha.png', { ...size, background: 0 }))).toEqual([255, 0, 0, 0, 0, 0]);
  });

  it('turns grey into three channels and colour into one', async () => {
    const read = await save(
      'grey.png',
      raw(Uint8Array.of(0, 51, 102, 255), 2, 2, 1)
        .toColourspace('b-w')
        .png()
        .toBuffer(),
    );
    expect((await createFiles(folder).imageShape('grey.png'))[2]).toBe(1);
    expect(bits(await read('grey.png', two))).toEqual([0, 0, 0, 51, 51, 51, 102, 102, 102, 255, 255, 255]);
    expect(bits(await read('grey.png', { ...two, channels: 1 }))).toEqual([0, 51, 102, 255]);
    const greyAlpha = await save(
      'grey-alpha.png',
      raw(Uint8Array.of(0, 255, 0, 0), 1, 2, 2)
        .toColourspace('b-w')
        .png()
        .toBuffer(),
    );
    expect(bits(await greyAlpha('grey-alpha.png', { height: 1, width: 2, channels: 1 }))).toEqual([0, 128]);
    await save('four.png', raw(four, 2, 2, 3).png().toBuffer());
    const [red, green, blue, white] = bits(await read('four.png', { ...two, channels: 1 }));
    expect(white).toBe(255);
    expect(green).toBeGreaterThan(red ?? 0);
    expect(red).toBeGreaterThan(blue ?? 0);
  });

  it('reads 16 bits, a palette and CMYK', async () => {
    const deep = Uint16Array.from(four, (value) => value * 257);
    const read = await save('deep.png', raw(deep, 2, 2, 3).toColourspace('rgb16').png().toBuffer());
    expect((await sharp(join(folder, 'deep.png')).metadata()).depth).toBe('ushort');
    expect([...(await read('deep.png', two))]).toEqual(fourPixels);
    await save('palette.png', raw(four, 2, 2, 3).png({ palette: true }).toBuffer());
    expect([...(await read('palette.png', two))]).toEqual(fourPixels);
    await save('cmyk.jpg', raw(new Uint8Array(48).fill(255), 4, 4, 3).toColourspace('cmyk').jpeg().toBuffer());
    expect(Math.min(...bits(await read('cmyk.jpg', two)))).toBeGreaterThan(245);
  });

  it('keeps 16 bits', async () => {
    const fine = Uint16Array.of(0, 1, 32768, 65535);
    const read = await save('fine.png', raw(fine, 1, 4, 1).toColourspace('grey16').png().toBuffer());
    const wanted = [0, 1, 32768, 65535];
    for (const channels of [1, 3] as const) {
      const pixels = await read('fine.png', { height: 1, width: 4, channels });
      const deep = [...pixels].filter((_, k) => k % channels === 0).map((value) => Math.round((value + 1) * 32767.5));
      expect(deep).toEqual(wanted);
    }
    const { values, largest, channels, alpha } = await createFiles(folder).readStored('fine.png');
    expect([[...values], largest, channels, alpha]).toEqual([wanted, 65535, 1, false]);
  });

  it('reads a picture as stored, its transparency unblended', async () => {
    const clear = Uint8Array.of(10, 20, 30, 0, 40, 50, 60, 128);
    await save('clear.png', raw(clear, 1, 2, 4).png().toBuffer());
    const { values, ...facts } = await createFiles(folder).readStored('clear.png');
    expect([...values]).toEqual([...clear]);
    expect(facts).toEqual({ height: 1, width: 2, channels: 4, alpha: true, largest: 255 });
    await save('palette.png', raw(four, 2, 2, 3).png({ palette: true }).toBuffer());
    expect([...(await createFiles(folder).readStored('palette.png')).values]).toEqual([...four]);
  });

  it('reads the transparency of grey pictures too', async () => {
    // PNG files of colour type 4: two pixels of grey and opacity, of 8 bits and of 16.
    const eight = 'iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAQAAABeK7cBAAAADUlEQVR4nGPg+n+CAQAEugHSoRFfqAAAAABJRU5ErkJggg==';
    const sixteen =
      'iVBORw0KGgoAAAANSUhEUgAAAAIAAAABEAQAAAAOu2tCAAAAEUlEQVR4nGNgfvH//xwHBmYAFKEDyWYo1pcAAAAASUVORK5CYII=';
    for (const [name, content, values, largest] of [
      ['grey-hole.png', eight, [10, 10, 10, 255, 200, 200, 200, 0], 255],
      ['grey-hole-16.png', sixteen, [1000, 1000, 1000, 65535, 40000, 40000, 40000, 3], 65535],
    ] as const) {
      await save(name, Buffer.from(content, 'base64'));
      const stored = await createFiles(folder).readStored(name);
      expect([...stored.values]).toEqual(values);
      expect(stored).toMatchObject({ channels: 4, alpha: true, largest });
    }
  });

  it('says what a 16-bit picture uses that has data of 12 bits', async () => {
    const files = createFiles(folder);
    const said = async (name: string, data: Uint16Array | Uint8Array) => {
      const space = data instanceof Uint16Array ? 'grey16' : 'b-w';
      const read = await save(name, raw(data, 1, 2, 1).toColourspace(space).png().toBuffer());
      return noteOnUnusedRange(name, await read(name, { height: 1, width: 2, channels: 1 }), files);
    };
    expect(await said('twelve.png', Uint16Array.of(0, 4095))).toBe(
      `[${join(folder, 'twelve.png')}] the picture has 16 bits, but no value above 4095 of 65535: it comes out nearly black. If it holds data of fewer bits, scale them to 16 first.`,
    );
    expect(await said('sixteen.png', Uint16Array.of(0, 9000))).toBeUndefined();
    expect(await said('dark.png', Uint8Array.of(0, 16))).toBeUndefined();
  });

  it('covers by scaling the short side, then crops where the offset says', async () => {
    // Four columns, 0 60 120 180, twice as wide as high.
    const bands = Uint8Array.from({ length: 2 * 4 }, (_, k) => 60 * (k % 4));
    const read = await save('bands.png', raw(bands, 2, 4, 1).toColourspace('b-w').png().toBuffer());
    const columns = async (offset?: readonly [number, number]) =>
      bits(await read('bands.png', { height: 2, width: 2, channels: 1, ...(offset ? { offset } : {}) })).slice(0, 2);
    expect(await columns()).toEqual([60, 120]);
    expect(await columns([0, 0])).toEqual([0, 60]);
    expect(await columns([0, 1])).toEqual([120, 180]);
    const [left = 0, right = 0] = bits(await read('bands.png', { height: 1, width: 2, channels: 1 }));
    expect(left).toBeLessThan(60);
    expect(right).toBeGreaterThan(120);
    expect(bits(await read('bands.png', { height: 1, width: 1, channels: 1, fit: 'crop', offset: [1, 1] }))).toEqual([
      180,
    ]);
    expect((await read('bands.png', { height: 5, width: 3, channels: 1, fit: 'stretch' })).length).toBe(15);
    expect((await read('bands.png', { height: 31, width: 7, channels: 3 })).length).toBe(31 * 7 * 3);
  });

  it('refuses sizes it may not change', async () => {
    const read = await save('four.png', raw(four, 2, 2, 3).png().toBuffer());
    const wanted = { height: 3, width: 2, channels: 3 } as const;
    await expect(read('four.png', { ...wanted, fit: 'exact' })).rejects.toThrow(
      'the picture is 2 high and 2 wide, wanted 3 by 2.',
    );
    await expect(read('four.png', { ...wanted, fit: 'crop' })).rejects.toThrow(
      'A crop cannot be larger than the picture.',
    );
  });

  it('names a file that is no picture or is cut off', async () => {
    const photo = Uint8Array.from({ length: 64 * 64 * 3 }, (_, k) => (k * k * 7919) % 251);
    const half = (bytes: Buffer) => bytes.subarray(0, bytes.length / 2);
    for (const [name, bytes] of [
      ['text.png', Buffer.from('hello')],
      ['empty.png', Buffer.alloc(0)],
      ['cut.png', half(await raw(photo, 64, 64, 3).png().toBuffer())],
      ['cut.jpg', half(await raw(photo, 64, 64, 3).jpeg().toBuffer())],
    ] as const) {
      const read = await save(name, bytes);
      await expect(read(name, two), name).rejects.toThrow(`[${join(folder, name)}] cannot be read as a picture`);
    }
  });

  it('writes PNG that reads back, clipped to [-1, 1]', async () => {
    const read = await save(
      'out.png',
      Buffer.from(
        await encodePng(
          Float32Array.from(fourPixels, (value) => 2 * value),
          [2, 2, 3],
        ),
      ),
    );
    expect([...(await read('out.png', two))]).toEqual(fourPixels);
    const grey = Float32Array.of(-1, 0, 1);
    await save('grey-out.png', Buffer.from(await encodePng(grey, [1, 3, 1])));
    expect(bits(await read('grey-out.png', { height: 1, width: 3, channels: 1 }))).toEqual([0, 128, 255]);
    await expect(encodePng(grey, [1, 1, 3])).resolves.toBeInstanceOf(Uint8Array);
    await expect(encodePng(grey, [1, 2, 3])).rejects.toThrow('3 numbers of shape [1, 2, 3]');
  });
});

describe('the cache folder', () => {
  afterEach(() => vi.unstubAllEnvs());

  it("is what TWEEDIE_CACHE says, or the user's folder for such things", () => {
    expect(cacheFolder({ TWEEDIE_CACHE: '/own', XDG_CACHE_HOME: '/caches' })).toBe('/own');
    expect(cacheFolder({ TWEEDIE_CACHE: '', XDG_CACHE_HOME: '/caches' })).toBe(join('/caches', 'tweedie'));
    if (process.platform !== 'win32') expect(cacheFolder({})).toBe(join(homedir(), '.cache/tweedie'));
  });

  it('keeps files whole, also where two write one at a time', async () => {
    const cache = join(folder, 'cache');
    vi.stubEnv('TWEEDIE_CACHE', cache);
    const files = createFiles(folder);
    expect(files.cached('dataset-x/deep/a.raw')).toBe(join(cache, 'dataset-x/deep/a.raw'));
    const contents = [1, 2, 3].map((value) => new Uint8Array(3e6).fill(value));
    await Promise.all(contents.map((bytes) => files.writeCached('dataset-x/deep/a.raw', bytes)));
    const kept = await files.readBytes(files.cached('dataset-x/deep/a.raw'));
    expect(kept.length).toBe(3e6);
    expect(new Set(kept).size).toBe(1);
    expect(await readdir(join(cache, 'dataset-x/deep'))).toEqual(['a.raw']);
  });

  it('says where it cannot write, and leaves nothing there', async () => {
    vi.stubEnv('TWEEDIE_CACHE', join(folder, 'full'));
    await mkdir(join(folder, 'full/x/a.raw/inner'), { recursive: true });
    await expect(createFiles(folder).writeCached('x/a.raw', new Uint8Array(3))).rejects.toThrow(
      /x\/a\.raw\] cannot be written \(E.*\)\. Make room, or name another folder in the environment variable TWEEDIE_CACHE\.$/,
    );
    expect(await readdir(join(folder, 'full/x'))).toEqual(['a.raw']);
  });
});

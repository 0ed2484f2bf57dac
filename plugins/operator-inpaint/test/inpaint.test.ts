import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeSafetensors, type Image, type ImageShape, keyedRandom, type Operator, tf } from '@tweedie/core';
import { encodePng, testOperatorContext } from '@tweedie/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inpaint, type InpaintOptions } from '../src/index.ts';

type Inpaint = Operator<{ readonly mask: tf.Tensor }>;
const shape: ImageShape = [16, 24, 3];
const defaults: InpaintOptions = { pattern: 'random', hiddenNoise: 'zero' };
const make = async (options: Partial<InpaintOptions> = {}, imageShape = shape, folder?: string) =>
  (await inpaint({ ...defaults, ...options }, testOperatorContext(imageShape, folder))) as Inpaint;
const maskOf = async (operator: Inpaint, key = 'key') => [...(await operator.draw(keyedRandom(key)).mask.data())];
const hidden = (mask: readonly number[]) => mask.filter((value) => value === 0).length;
const numbers = async (x: tf.Tensor) => [...(await x.data())];
const normal = (key: string, batch = 2): Image =>
  tf.tensor4d(keyedRandom(key).normal('x', batch * 16 * 24 * 3), [batch, ...shape]);
/** Two problems with their own masks. */
const drawnPair = (operator: Inpaint) => ({
  mask: tf.stack(['a', 'b'].map((key) => operator.draw(keyedRandom(key)).mask)),
});

describe('random masks', () => {
  it.each([
    [0.4, 26214],
    [0.7, 45875],
    [0.92, 60293],
  ])('hide exactly the published count at rate %d', async (rate, count) => {
    expect(hidden(await maskOf(await make({ rate }, [256, 256, 3])))).toBe(count);
  });

  it('that hide nothing say so: a vector wants one pixel per entry', async () => {
    const said: string[] = [];
    const warn = (message: string) => void said.push(message);
    await inpaint({ ...defaults, rate: 0.5 }, { ...testOperatorContext([1, 1, 8]), warn });
    expect(said.splice(0)).toEqual([
      '[operator/inpaint] rate 0.5 hides no pixel of 1 x 1 images. A vector of d entries has d pixels in the shape [1, d, 1], one in [1, 1, d].',
    ]);
    await inpaint({ ...defaults, rate: 0.5 }, { ...testOperatorContext([1, 8, 1]), warn });
    await inpaint({ ...defaults, rate: 0 }, { ...testOperatorContext([1, 1, 8]), warn });
    expect(said).toEqual([]);
  });

  it('are drawn by key, uniformly', async () => {
    const operator = await make({ rate: 0.5 });
    expect(await maskOf(operator)).toEqual(await maskOf(operator));
    expect(await maskOf(operator, 'other')).not.toEqual(await maskOf(operator));
    const often = new Float64Array(16 * 24);
    for (let k = 0; k < 400; k++)
      (await maskOf(operator, `draw ${k}`)).forEach((value, pixel) => (often[pixel] = (often[pixel] ?? 0) + value));
    // 400 draws at probability 1/2: standard deviation 10.
    expect(Math.min(...often)).toBeGreaterThan(150);
    expect(Math.max(...often)).toBeLessThan(250);
  });

  it('take their rate from a range', async () => {
    const operator = await make({ rate: 0.3, maxRate: 0.7 });
    const rates = await Promise.all(
      Array.from({ length: 100 }, async (_, k) => hidden(await maskOf(operator, `${k}`)) / (16 * 24)),
    );
    expect(Math.min(...rates)).toBeGreaterThanOrEqual(0.3 - 1 / 384);
    expect(Math.max(...rates)).toBeLessThan(0.7);
    expect(Math.max(...rates) - Math.min(...rates)).toBeGreaterThan(0.35);
  });
});

describe('box masks', () => {
  it('refuse two sizes of one box', async () => {
    await expect(make({ pattern: 'box', box: 4, boxHeight: 6 })).rejects.toThrow(
      '[operator/inpaint] box 4 is the side of a square box, and boxHeight or boxWidth is given too. Give box alone, or boxHeight and boxWidth.',
    );
  });

  it('hide one box between the margins, everywhere it may be', async () => {
    const operator = await make({ pattern: 'box', boxHeight: 4, boxWidth: 6, margin: 3 });
    const [tops, lefts] = [new Set<number>(), new Set<number>()];
    for (let k = 0; k < 300; k++) {
      const mask = await maskOf(operator, `${k}`);
      const first = mask.indexOf(0);
      const [top, left] = [Math.floor(first / 24), first % 24];
      tops.add(top);
      lefts.add(left);
      mask.forEach((value, pixel) => {
        const [row, column] = [Math.floor(pixel / 24), pixel % 24];
        const inside = row >= top && row < top + 4 && column >= left && column < left + 6;
        if (value !== (inside ? 0 : 1)) throw new Error(`pixel ${row}, ${column} is ${value}`);
      });
    }
    // Uniform in [margin, side - margin - box): 3..8 and 3..14.
    expect([...tops].sort((a, b) => a - b)).toEqual([3, 4, 5, 6, 7, 8]);
    expect([Math.min(...lefts), Math.max(...lefts), lefts.size]).toEqual([3, 14, 12]);
  });

  it('are half the image by default, or square', async () => {
    expect(hidden(await maskOf(await make({ pattern: 'box' })))).toBe(8 * 12);
    expect(hidden(await maskOf(await make({ pattern: 'box', box: 5 })))).toBe(25);
  });

  it.each([
    [1, 9, 1],
    [9, 1, 2],
  ] as const)('hide an interval of a signal [%i, %i, %i]', async (...imageShape) => {
    const signal = await make({ pattern: 'box', box: 4, margin: 1 }, imageShape);
    const shown = [...(await maskOf(signal))].join('');
    expect(shown).toMatch(/^1+0000(?=1)1+$/);
  });

  it('refuse a box without a place', async () => {
    await expect(make({ pattern: 'box', box: 12, margin: 2 })).rejects.toThrow(
      '[operator/inpaint] a box of 12 by 12 with a margin of 2 has no place in images of 16 by 24. Box plus twice the margin must be smaller than the image.',
    );
  });
});

describe('mask files', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tweedie-masks-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const pattern = Float32Array.from({ length: 16 * 24 }, (_, pixel) => (pixel % 5 === 0 ? 0 : 1));
  const store = (name: string, shape: readonly number[], data: Float32Array, tensor = 'mask') =>
    writeFile(join(folder, name), encodeSafetensors(new Map([[tensor, { dtype: 'F32', shape, data }]])));

  it('may be pictures or tensors', async () => {
    await writeFile(
      join(folder, 'mask.png'),
      await encodePng(
        pattern.map((value) => 2 * value - 1),
        [16, 24, 1],
      ),
    );
    await store('mask.safetensors', [1, 16, 24], pattern);
    for (const file of ['mask.png', 'mask.safetensors']) {
      expect(await maskOf(await make({ pattern: 'file', file }, shape, folder)), file).toEqual([...pattern]);
    }
  });

  it('tell how many pixels they hide, and warn where it is none', async () => {
    await store('some.safetensors', [16, 24], pattern);
    await store('none.safetensors', [16, 24], new Float32Array(16 * 24).fill(1));
    await writeFile(join(folder, 'white.png'), await encodePng(new Float32Array(16 * 24).fill(1), [16, 24, 1]));
    const said: string[] = [];
    const context = {
      ...testOperatorContext(shape, folder),
      warn: (message: string) => void said.push(`Warning: ${message}`),
      note: (message: string) => void said.push(`Note: ${message}`),
    };
    for (const file of ['some.safetensors', 'none.safetensors', 'white.png'])
      await inpaint({ pattern: 'file', file, hiddenNoise: 'zero' }, context);
    const mask = (file: string) => `[operator/inpaint] the mask ${join(folder, file)}`;
    expect(said).toEqual([
      `Note: ${mask('some.safetensors')} hides 77 of 384 pixels (1 is observed).`,
      `Warning: ${mask('none.safetensors')} hides no pixel (1 is observed).`,
      `Warning: ${mask('white.png')} hides no pixel (all of it is 255 of 255).`,
    ]);
    await expect(make({ pattern: 'file', file: 'some.safetensors', threshold: 0.5 }, shape, folder)).rejects.toThrow(
      'threshold 0.5 is for pictures',
    );
  });

  it('are refused with both shapes when the size is wrong', async () => {
    await writeFile(join(folder, 'turned.png'), await encodePng(pattern, [24, 16, 1]));
    await store('turned.safetensors', [24, 16], pattern);
    for (const file of ['turned.png', 'turned.safetensors']) {
      await expect(make({ pattern: 'file', file }, shape, folder)).rejects.toThrow(
        `[operator/inpaint] the mask ${join(folder, file)} has shape [24, 16], the images have [16, 24]. Give a mask of the size of the images.`,
      );
    }
  });

  it('are refused when they are no masks', async () => {
    await store('grey.safetensors', [16, 24], new Float32Array(16 * 24).fill(0.5).fill(1, 5));
    await store('black.safetensors', [16, 24], new Float32Array(16 * 24));
    await store('other.safetensors', [16, 24], pattern, 'weights');
    const load = (file?: string) => make({ pattern: 'file', ...(file ? { file } : {}) }, shape, folder);
    await expect(load('grey.safetensors')).rejects.toThrow('has values beside 0 and 1');
    await expect(load('black.safetensors')).rejects.toThrow('observes no pixel');
    await expect(load('other.safetensors')).rejects.toThrow('has no tensor named "mask"');
    await expect(load('gone.png')).rejects.toThrow('does not exist');
    await expect(load()).rejects.toThrow('pattern file needs the option file');
  });
});

describe('operator/inpaint', () => {
  it('keeps what is observed, row by row with its own mask', async () => {
    const operator = await make();
    const [x, drawn] = [normal('x'), drawnPair(operator)];
    const [values, mask, y] = [await numbers(x), await numbers(drawn.mask), await numbers(operator.forward(x, drawn))];
    values.forEach((value, k) => expect(y[k]).toBe(mask[Math.floor(k / 3)] === 1 ? value : 0 * value));
    expect(hidden(mask.slice(0, 384))).toBe(hidden(mask.slice(384)));
    expect(mask.slice(0, 384)).not.toEqual(mask.slice(384));
  });

  it('gives DPS-w its reference task', async () => {
    const operator = await make({ rate: 0.75 });
    const [y, drawn] = [normal('y'), drawnPair(operator)];
    const task = operator.denoisingReference!(y, drawn);
    expect(await numbers(task.reference)).toEqual(await numbers(y));
    expect(await numbers(task.mask)).toEqual(await numbers(drawn.mask));
    expect(await numbers(task.entriesPerObserved)).toEqual([4, 4]);
    expect([task.factor, task.sharesGradient]).toEqual([1, true]);
  });

  it('keeps noise off hidden entries, unless the released behaviour is asked for', async () => {
    const operator = await make();
    const [noise, drawn] = [normal('noise'), drawnPair(operator)];
    expect(await numbers(operator.shapeNoise!(noise, drawn))).toEqual(await numbers(operator.forward(noise, drawn)));
    expect((await make({ hiddenNoise: 'released' })).shapeNoise).toBeUndefined();
  });

  it('refuses options of another pattern and a range upside down', async () => {
    await expect(make({ pattern: 'box', rate: 0.5 })).rejects.toThrow(
      '[operator/inpaint] option rate does not belong to pattern box. Its options are box, boxHeight, boxWidth, margin.',
    );
    await expect(make({ rate: 0.7, maxRate: 0.3 })).rejects.toThrow(
      '[operator/inpaint] maxRate 0.3 is below rate 0.7. Give the smaller one as rate.',
    );
  });
});

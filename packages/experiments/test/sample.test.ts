import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { tf, type Image, type Operator } from '@tweedie/core';
import { createFiles, encodePng } from '@tweedie/files';
import { restore, sample, type SampleOptions } from '../src/index.ts';

const wells = {
  id: 'gmm',
  options: {
    shape: [1, 2, 1],
    means: [
      [-1, 0],
      [1, 0],
    ],
    variances: [0.05, 0.05],
  },
};
const options: SampleOptions = {
  model: wells,
  operator: 'identity',
  method: 'exact',
  scheduler: { id: 'ddpm', options: { steps: 20 } },
  engine: 'eager',
  problem: { x0: Float32Array.of(1, 0) },
  sigmaY: 0.1,
  samples: 3,
};

describe('sample', () => {
  it('draws posterior samples of a clean image, measured first', async () => {
    const { samples, failures, measurement, cost, imageShape } = await sample(options);
    expect(imageShape).toEqual([1, 2, 1]);
    expect(failures).toEqual([undefined, undefined, undefined]);
    expect(measurement.shape).toEqual([1, 2, 1]);
    expect(cost.forwards).toBe(20);
    for (const [x = NaN, y = NaN] of samples) expect(Math.hypot(x - 1, y)).toBeLessThan(0.5);
    expect((await sample(options)).samples).toEqual(samples);
  });

  it('draws them of a measurement', async () => {
    const { samples, measurement } = await sample({ ...options, problem: { y: Float32Array.of(-1, 0.1) } });
    expect([...measurement.data]).toEqual([-1, Math.fround(0.1)]);
    for (const [x = NaN] of samples) expect(x).toBeLessThan(-0.5);
    await expect(sample({ ...options, problem: { y: Float32Array.of(1) } })).rejects.toThrow(
      "the measurement has 1 number, the operator's measurements [1, 2, 1] have 2.",
    );
  });

  it('takes an object of your own for any part', async () => {
    const half: Operator = {
      linear: true,
      measurementShape: [1, 2, 1],
      draw: () => ({}),
      forward: (x: Image) => tf.mul(x, 0.5),
    };
    const { cost, samples } = await sample({
      ...options,
      operator: half,
      method: { id: 'dps', options: { scale: 0.5 } },
    });
    expect(cost).toMatchObject({ forwards: 20, vjps: 20 });
    expect(samples).toHaveLength(3);
  });

  it('refuses what cannot work', async () => {
    await expect(
      sample({
        ...options,
        method: 'dps-w',
        operator: { linear: true, measurementShape: [1, 2, 1], draw: () => ({}), forward: (x: Image) => x },
      }),
    ).rejects.toThrow(
      '[sample] the method cannot work here: it needs operator.reference; the operator has no reference.',
    );
  });
});

describe('restore', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tweedie-restore-'));
  const shape = [4, 4, 1] as const;
  const pixels = (value: number): number[] => Array.from({ length: 16 }, (_, i) => (i % 4 < 2 ? value : -value));
  const model = { id: 'gmm', options: { shape, means: [pixels(0.8), pixels(-0.8)], variances: [0.01, 0.01] } };
  const common = {
    model,
    method: 'exact',
    scheduler: { id: 'ddpm', options: { steps: 30 } },
    engine: 'eager',
    sigmaY: 0.05,
  };
  const write = async (name: string, values: readonly number[]): Promise<string> => {
    const path = join(folder, name);
    writeFileSync(path, await encodePng(Float32Array.from(values), [...shape]));
    return path;
  };
  const read = (path: string): Promise<Float32Array> =>
    createFiles(folder).readImage(path, { height: 4, width: 4, channels: 1, fit: 'exact' });
  const distance = (a: ArrayLike<number>, b: readonly number[]): number =>
    Math.max(...b.map((value, i) => Math.abs(value - (a[i] ?? NaN))));

  it('restores a degraded picture with a mask', async () => {
    const mask = await write(
      'mask.png',
      Array.from({ length: 16 }, (_, i) => (i < 8 ? 1 : -1)),
    );
    const image = await write(
      'degraded.png',
      pixels(0.8).map((value, i) => (i < 8 ? value : 0.3)),
    );
    const { written } = await restore({ ...common, image, operator: 'inpaint', mask, samples: 2 });
    expect(written).toEqual(
      ['', '-2', '.mean', '.deviation'].map((name) => join(folder, `degraded.restored${name}.png`)),
    );
    for (const path of written.slice(0, 3)) expect(distance(await read(path), pixels(0.8))).toBeLessThan(0.5);
  });

  describe('with a mask for each picture', () => {
    // What a mask hides of its picture contradicts the prior: the masks exchanged, nothing would fit.
    const upper = Array.from({ length: 16 }, (_, i) => (i < 8 ? 1 : -1));
    const lower = upper.map((value) => -value);
    const spoilt = (known: readonly number[]) => pixels(0.8).map((value, i) => (known[i] === 1 ? value : -0.9));
    const misfitsOf = async (image: readonly string[], mask: readonly string[]) => {
      const { pictures } = await restore({ ...common, image, operator: 'inpaint', mask });
      for (const { written } of pictures) expect(distance(await read(written[0] ?? ''), pixels(0.8))).toBeLessThan(0.5);
      return pictures.map(({ misfits: [misfit = NaN] }) => misfit);
    };

    it('takes masks in the order of the pictures, or from a folder by name', async () => {
      const image = [await write('one.png', spoilt(upper)), await write('two.png', spoilt(lower))];
      mkdirSync(join(folder, 'masks'));
      const mask = [await write('masks/two.png', lower), await write('masks/one.png', upper)];
      for (const misfit of await misfitsOf(image, [...mask].reverse())) expect(misfit).toBeLessThan(1.6);
      for (const misfit of await misfitsOf(image, [join(folder, 'masks')])) expect(misfit).toBeLessThan(1.6);
      const { pictures } = await restore({ ...common, image, operator: 'inpaint', mask });
      for (const { misfits } of pictures) expect(misfits[0]).toBeGreaterThan(4);
    });

    it('refuses masks that are not one for each', async () => {
      const image = [await write('one.png', spoilt(upper)), await write('three.png', spoilt(lower))];
      const [mask, other] = [await write('upper.png', upper), await write('lower.png', lower)];
      const refusal = (given: readonly string[]) =>
        restore({ ...common, image, operator: 'inpaint', mask: given }).then(
          () => 'none',
          (error: unknown) => String(error),
        );
      expect(await refusal([mask, other, mask])).toBe(
        'ConfigError: [restore] 3 masks are given for 2 pictures. Give one mask for all, one for each picture in their order, or a folder of masks that are called like the pictures.',
      );
      expect(await refusal([mask, join(folder, 'masks')])).toBe(
        `ConfigError: [restore] ${join(folder, 'masks')} is a folder, and other masks are given beside it. Give one folder of masks, or their files.`,
      );
      expect(await refusal([join(folder, 'masks')])).toBe(
        `ConfigError: [operator/inpaint] no mask of ${join(folder, 'masks')} is called like the image "three.png"; there are one.png, two.png. Name each mask after its image, endings aside; or say match: order, which takes the masks as they come.`,
      );
    });
  });

  it('degrades a clean picture first', async () => {
    const image = await write('clean.png', pixels(-0.8));
    const out = join(folder, 'out', 'again.png');
    const { written } = await restore({
      ...common,
      image,
      operator: { id: 'inpaint', options: { rate: 0.5 } },
      degrade: true,
      out,
    });
    expect(written).toEqual([out, join(folder, 'out', 'again.measurement.png')]);
    expect(distance(await read(out), pixels(-0.8))).toBeLessThan(0.5);
    expect(distance(await read(written[1] ?? ''), pixels(-0.8))).toBeGreaterThan(0.7);
  });

  it('says how well a restoration fits, with its steps and seconds', async () => {
    const image = await write('fits.png', pixels(0.8));
    const [fits] = (await restore({ ...common, image, operator: 'identity' })).pictures;
    expect(fits).toMatchObject({ image, steps: 30, failures: [undefined] });
    expect(fits?.seconds).toBeGreaterThan(0);
    expect(fits?.misfits[0]).toBeLessThan(2);
    const strange = await write(
      'strange.png',
      Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? 1 : -1)),
    );
    const [far] = (await restore({ ...common, image: strange, operator: 'identity' })).pictures;
    expect(far?.misfits[0]).toBeGreaterThan(2);
    const [exact] = (await restore({ ...common, image, operator: 'identity', method: 'dps', sigmaY: 0 })).pictures;
    expect(exact?.misfits).toEqual([undefined]);
  });

  it('restores several pictures with one model, each as if alone', async () => {
    const images = [await write('first.png', pixels(0.8)), await write('second.png', pixels(-0.8))];
    const { written, pictures } = await restore({ ...common, image: images, operator: 'identity' });
    expect(written).toEqual([join(folder, 'first.restored.png'), join(folder, 'second.restored.png')]);
    expect(pictures.map(({ image }) => image)).toEqual(images);
    const together = await Promise.all(written.map(read));
    for (const [i, value] of [0.8, -0.8].entries())
      expect(distance(together[i] ?? [], pixels(value))).toBeLessThan(0.5);
    await restore({ ...common, image: images[1] ?? '', operator: 'identity' });
    expect(await read(written[1] ?? '')).toEqual(together[1]);
    await expect(restore({ ...common, image: images, operator: 'identity', out: 'one.png' })).rejects.toThrow(
      '[restore] --out one.png is one file, and 2 pictures are given. Leave it out: each is written beside its picture.',
    );
    const twins = [join(folder, 'twin.png'), join(folder, 'twin.jpg')];
    await expect(restore({ ...common, image: twins, operator: 'identity' })).rejects.toThrow(
      `[restore] ${twins[0]} and ${twins[1]} would both be written to ${join(folder, 'twin.restored.png')}. Rename one of them.`,
    );
  });

  it('tells what it does to a picture on the way', async () => {
    const told: string[] = [];
    const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => told.push(String(text)) > 0);
    const colour = { ...model, options: { shape: [4, 4, 3], means: [new Array<number>(48).fill(0)], variances: [1] } };
    const wide = join(folder, 'wide.png');
    writeFileSync(wide, await encodePng(Float32Array.from([0, 1, 0.5, 0, 0, 1, 0.5, 0]), [2, 4, 1]));
    try {
      await restore({ ...common, model: colour, image: wide, operator: 'identity', degrade: true });
      const grey = await write('grey.png', pixels(0.8));
      await restore({ ...common, model: colour, image: grey, operator: 'identity' });
      const alike = 'the picture is grey: its values stand for red, green and blue alike.';
      expect(told).toEqual([
        `Note: [${wide}] the picture is 2 high and 4 wide, the model's images are 4 by 4: its middle of 2 by 2 is kept, enlarged to 4 by 4.\n`,
        `Note: [${wide}] ${alike}\n`,
        `Note: [${grey}] the picture is grey, and stays grey: the prior sees its values as red, green and blue alike. If its colours were lost, use --operator colorize.\n`,
      ]);
    } finally {
      stderr.mockRestore();
    }
  });

  it('names the sizes of picture and mask together', async () => {
    const wide = async (name: string, height: number) => {
      writeFileSync(join(folder, name), await encodePng(new Float32Array(height * 4).fill(1), [height, 4, 1]));
      return join(folder, name);
    };
    const [image, mask] = [await wide('three.png', 3), await wide('five.png', 5)];
    await expect(restore({ ...common, image, mask, operator: 'inpaint' })).rejects.toThrow(
      `[restore] ${image} is 3 high and 4 wide, ${mask} is 5 high and 4 wide; wanted 4 by 4. Give pictures and a mask of that size.`,
    );
  });

  it('takes a picture of the size of the measurement', async () => {
    const small = await encodePng(Float32Array.from([0.8, -0.8, 0.8, -0.8]), [2, 2, 1]);
    const image = join(folder, 'low.png');
    writeFileSync(image, small);
    const operator = (kernel: string) => ({ id: 'super-resolution', options: { factor: 2, kernel } });
    const { written } = await restore({ ...common, image, operator: operator('block') });
    expect(distance(await read(written[0] ?? ''), pixels(0.8))).toBeLessThan(0.5);
    await expect(
      restore({ ...common, image: await write('high.png', pixels(0.8)), operator: operator('bicubic') }),
    ).rejects.toThrow(
      'the picture is 4 high and 4 wide, wanted 2 by 2. Operator "super-resolution" makes pictures of that size from the model\'s [4, 4, 1]: change its options, the picture or --model.',
    );
  });

  it('refuses a measurement by parameters that were drawn', async () => {
    const image = await write('blurred.png', pixels(0.8));
    await expect(
      restore({ ...common, image, operator: { id: 'blur', options: { kernel: 'motion', size: 3 } } }),
    ).rejects.toThrow(
      'the operator draws its parameters at random, and those that the measurement was made with are not known. Choose options that draw nothing, or give a clean image (--degrade) to have it measured first.',
    );
  });

  it('says what is wrong with the picture', async () => {
    await expect(restore({ ...common, image: join(folder, 'none.png'), operator: 'identity' })).rejects.toThrow(
      'does not exist',
    );
    const image = await write('small.png', pixels(0.8));
    const large = { ...model, options: { shape: [8, 8, 1], means: [new Array<number>(64).fill(0)], variances: [1] } };
    await expect(restore({ ...common, model: large, image, operator: 'identity' })).rejects.toThrow(
      'the picture is 4 high and 4 wide, wanted 8 by 8. Give a picture of that size, or a --model that knows 4 by 4: \'empirical:{"dataset":{"id":"folder","options":{"path":"FOLDER","height":4,"width":4,"channels":1}}}\' with a FOLDER of such pictures.',
    );
    await expect(restore({ ...common, image, operator: 'inpaint' })).rejects.toThrow(
      'which pixels of the picture are missing is not said. Give --mask',
    );
    await expect(restore({ ...common, image, operator: 'identity', mask: 'm.png' })).rejects.toThrow(
      'a mask belongs to operator "inpaint"',
    );
    expect(existsSync(join(folder, 'small.restored.png'))).toBe(false);
    const onProgress = vi.fn();
    await expect(
      restore({ ...common, image, operator: 'identity', out: join(image, 'out.png'), onProgress }),
    ).rejects.toThrow(/cannot be written: E\w+: .*\. Choose another file with --out\.$/);
    expect(onProgress).not.toHaveBeenCalled();
  });
});

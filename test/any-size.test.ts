/** Pictures of several sizes with one network, from the recipe and from the command line to files on disk. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  compare,
  explain,
  openResults,
  plan,
  report,
  restore,
  sample,
  type ExperimentInput,
} from '@tweedie/experiments';
import { createFiles, encodePng } from '@tweedie/files';
import { randomCheckpoint } from '@tweedie/networks';
import { afterAll, describe, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-any-size-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const network = {
  image_size: 8,
  num_channels: 32,
  num_res_blocks: 1,
  channel_mult: '1,1',
  attention_resolutions: 'none',
};
writeFileSync(join(folder, 'any.safetensors'), randomCheckpoint(network, 1));
writeFileSync(join(folder, 'fixed.safetensors'), randomCheckpoint({ ...network, attention_resolutions: '4' }, 1));
const model = { id: 'ddpm-vp', options: { ...network, weights: join(folder, 'any.safetensors') } };
const fixed = {
  id: 'ddpm-vp',
  options: { ...network, attention_resolutions: '4', weights: join(folder, 'fixed.safetensors') },
};

/** A colour picture of waves. */
const save = async (name: string, height: number, width: number): Promise<void> => {
  const pixels = Float32Array.from({ length: height * width * 3 }, (_, k) => Math.sin(0.3 * k + name.length));
  writeFileSync(join(folder, name), await encodePng(pixels, [height, width, 3]));
};
mkdirSync(join(folder, 'pictures'));
const pictures: Readonly<Record<string, readonly [height: number, width: number]>> = {
  a: [8, 8],
  b: [12, 6],
  c: [8, 8],
  d: [12, 6],
};
for (const [name, [height, width]] of Object.entries(pictures)) await save(`pictures/${name}.png`, height, width);

const recipe: ExperimentInput = {
  folder,
  model,
  images: { dataset: { id: 'folder', options: { path: 'pictures', crop: 'none' } }, count: 4 },
  operators: ['identity', { id: 'super-resolution', options: { factor: 2 } }],
  sigmaY: 0.1,
  methods: ['none', 'dps'],
  scheduler: { id: 'ddpm', options: { steps: 3 } },
  metrics: ['psnr'],
  samples: 2,
  trace: 2,
  traceImages: 2,
};

describe('a recipe with pictures of several sizes', () => {
  it('is planned, run by shape and shown with every picture at its own', async () => {
    const planned = await plan({ recipe });
    expect(planned.table).toContain('4 images of 2 sizes');
    const out = join(folder, 'run');
    const { json } = await compare({ recipe, out });
    expect(json.outcome).toBe('done');
    expect(json.rows.map(({ n }) => n)).toEqual([4, 4, 4, 4]);
    const index = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8')) as { shapes: unknown };
    expect(index.shapes).toEqual([
      [8, 8, 3],
      [12, 6, 3],
      [8, 8, 3],
      [12, 6, 3],
    ]);
    const page = readFileSync(json.report, 'utf8');
    expect(page).toContain('4 images of several shapes');
    // The first two images of each shape, as PNG: width and height are bytes 16 to 23.
    const sizes = new Set(
      [...page.matchAll(/data:image\/png;base64,([\w+/]+)/g)].map(([, data = '']) => {
        const bytes = Buffer.from(data, 'base64');
        return `${bytes.readUInt32BE(20)}x${bytes.readUInt32BE(16)}`;
      }),
    );
    expect([...sizes].toSorted()).toEqual(['12x6', '4x4', '6x3', '8x8']);

    // The same folder again: nothing is drawn twice, also where the index is read alone.
    const told: (string | undefined)[] = [];
    const again = await compare({ recipe, out, onProgress: ({ message }) => told.push(message) });
    expect(told).toContain('32 of 32 samples are there already');
    expect(again.json.rows).toEqual(json.rows);
    expect((await report(out)).json.rows).toEqual(json.rows);
  });

  it('gives a picture the same samples whatever the others are', async () => {
    const all = await compare({ recipe, out: join(folder, 'run') });
    const alone = await compare({
      recipe: { ...recipe, images: { ...recipe.images, offset: 1, count: 1 } },
      out: join(folder, 'alone'),
    });
    const hashes = async (run: string, name: string): Promise<readonly string[]> => {
      const results = await openResults(run);
      try {
        const cells = [...(await results.cells()).values()].filter(({ image }) => image === name);
        return cells.map(({ key, sampleHash }) => `${key} ${sampleHash}`).toSorted();
      } finally {
        results.close();
      }
    };
    const drawn = await hashes(alone.json.run, 'b.png');
    expect(drawn.length).toBe(8);
    expect(drawn).toEqual(await hashes(all.json.run, 'b.png'));
  });

  it('is refused by a model of one shape, and looked into one shape at a time', async () => {
    await expect(plan({ recipe: { ...recipe, model: fixed } })).rejects.toThrow(
      "its images are [12, 6, 3], the model's [8, 8, 3]. Choose the same size.",
    );
    await expect(explain({ recipe, out: join(folder, 'explained') })).rejects.toThrow(
      'the first 2 images have 2 shapes ([8, 8, 3], [12, 6, 3]); one is looked into at a time. Say --limit 1, or choose images of one shape.',
    );
  });
});

describe('sample with a model of any size', () => {
  it('takes the shape of the image, by default the one that the model was made with', async () => {
    const options = { model, operator: 'identity', method: 'dps', scheduler: { id: 'ddpm', options: { steps: 2 } } };
    const drawn = async (size: number, shape?: readonly [number, number, number]) =>
      (await sample({ ...options, problem: { x0: new Float32Array(size) }, sigmaY: 0.1, ...(shape && { shape }) }))
        .imageShape;
    expect(await drawn(8 * 8 * 3)).toEqual([8, 8, 3]);
    expect(await drawn(5 * 7 * 3, [5, 7, 3])).toEqual([5, 7, 3]);
    await expect(drawn(5 * 7, [5, 7, 1])).rejects.toThrow(
      "[model] the images are [5, 7, 1], the model's [8, 8, 3]. It takes any size, with 3 channels.",
    );
  });
});

describe('restore with a model of any size', () => {
  const files = createFiles(folder);
  const options = { model, method: 'dps', scheduler: { id: 'ddpm', options: { steps: 2 } }, sigmaY: 0.1 } as const;

  it('restores pictures at their own sizes, in the order given', async () => {
    const image = ['a', 'b', 'c'].map((name) => join(folder, `pictures/${name}.png`));
    const { pictures: restored } = await restore({ ...options, image, operator: 'identity' });
    expect(restored.map(({ image }) => image)).toEqual(image);
    for (const { image, written, failures } of restored) {
      expect(failures).toEqual([undefined]);
      expect(await files.imageShape(written[0]!)).toEqual(await files.imageShape(image));
    }
  });

  it('enlarges what an operator made smaller, and keeps the size of what it degrades', async () => {
    const image = join(folder, 'pictures/b.png');
    const operator = { id: 'super-resolution', options: { factor: 2 } };
    const large = join(folder, 'large.png');
    await restore({ ...options, image, operator, out: large });
    expect(await files.imageShape(large)).toEqual([24, 12, 3]);
    const degraded = join(folder, 'degraded.png');
    await restore({ ...options, image, operator, degrade: true, out: degraded });
    expect(await files.imageShape(degraded)).toEqual([12, 6, 3]);
    expect(await files.imageShape(join(folder, 'degraded.measurement.png'))).toEqual([6, 3, 3]);
  });

  it('takes sides that the network cannot halve, single files and many', async () => {
    await save('odd.png', 7, 13);
    const image = join(folder, 'odd.png');
    for (const method of ['dps', 'dps-w']) {
      const { written, failures } = await restore({ ...options, method, image, operator: 'identity' });
      expect(failures).toEqual([undefined]);
      expect(await files.imageShape(written[0]!)).toEqual([7, 13, 3]);
      const first = readFileSync(written[0]!);
      await restore({ ...options, method, image, operator: 'identity' });
      expect(readFileSync(written[0]!).equals(first)).toBe(true);
    }
  });

  it('goes by tiles from the command line, the same each time', async () => {
    await save('wide.png', 9, 22);
    const tiled = JSON.stringify({ model, tile: 8, overlap: 2 });
    const run = async (out: string): Promise<Buffer> => {
      const flags = ['--operator', 'identity', '--method', 'dps-w', '--steps', '2', '--sigma-y', '0.1', '--out', out];
      const command = [
        join(import.meta.dirname, '../packages/cli/bin/tweedie.js'),
        'restore',
        join(folder, 'wide.png'),
        '--model',
        `tiles:${tiled}`,
      ];
      const { stderr } = await promisify(execFile)(process.execPath, [...command, ...flags]);
      expect(stderr).toContain('2 steps, seed 0');
      return readFileSync(out);
    };
    const first = await run(join(folder, 'tiled.png'));
    expect(await files.imageShape(join(folder, 'tiled.png'))).toEqual([9, 22, 3]);
    expect((await run(join(folder, 'again.png'))).equals(first)).toBe(true);
  });

  it('takes a mask for each picture, of its size', async () => {
    mkdirSync(join(folder, 'masks'));
    const saveMask = async (name: string, height: number, width: number): Promise<void> => {
      const pixels = Float32Array.from({ length: height * width }, (_, k) => (k % 3 === 0 ? -1 : 1));
      writeFileSync(join(folder, 'masks', name), await encodePng(pixels, [height, width, 1]));
    };
    await saveMask('a.png', 8, 8);
    await saveMask('b.png', 12, 6);
    const image = ['a', 'b'].map((name) => join(folder, `pictures/${name}.png`));
    const { failures } = await restore({ ...options, image, operator: 'inpaint', mask: join(folder, 'masks') });
    expect(failures).toEqual([undefined, undefined]);
    await saveMask('b.png', 8, 8);
    await expect(restore({ ...options, image, operator: 'inpaint', mask: join(folder, 'masks') })).rejects.toThrow(
      'masks has the size of the images, [12, 6]. Give each image a mask of its size.',
    );
  });

  it('wants a mask of the size of the picture', async () => {
    await save('mask.png', 8, 8);
    await expect(
      restore({
        ...options,
        image: join(folder, 'pictures/b.png'),
        operator: 'inpaint',
        mask: join(folder, 'mask.png'),
      }),
    ).rejects.toThrow('mask.png has shape [8, 8], the images have [12, 6]. Give a mask of the size of the images.');
  });
});

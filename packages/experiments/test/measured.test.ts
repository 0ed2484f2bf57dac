/** Pictures of a data set that are measurements: methods are compared on them without knowing the truth. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { disposeProblem, type ImageShape, makeProblem, type Tensor } from '@tweedie/core';
import { createFiles, decodeImage, encodePng } from '@tweedie/files';
import { testContainer } from '@tweedie/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compare, explain, exportRun, type ExperimentInput, plan, tune } from '../src/index.ts';
import { loadProblem } from '../src/run/problems.ts';
import { readIndex } from '../src/run/run-index.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-measured-'));
afterAll(() => rmSync(folder, { recursive: true }));
let runs = 0;
const newRun = (): string => join(folder, `run-${runs++}`);

const shape: ImageShape = [4, 4, 1];
const means = [-0.4, 0.3].map((level) => Array.from({ length: 16 }, (_, k) => level + (k % 4) / 10));
const files = createFiles(folder);
const names = ['a.png', 'b.png', 'c.png'];
const save = async (path: string, pixels: Float32Array, size: ImageShape): Promise<void> => {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), await encodePng(pixels, size));
};
const flat = (size: ImageShape, value = 0.2): Float32Array =>
  Float32Array.from({ length: size[0] * size[1] * size[2] }, (_, k) => value + (k % 5) / 20);
const readPixels = (path: string, [height, width]: ImageShape): Promise<Float32Array> =>
  files.readImage(path, { height, width, channels: 1 });

const smaller = { id: 'super-resolution', options: { factor: 2 } };
/** What an operator made of images near the means, and noise of 0.1, as 8-bit pictures. */
beforeAll(async () => {
  const container = testContainer();
  for (const [place, reference] of [
    ['blurred', { id: 'blur', options: { size: 3, std: 1 } }],
    ['small', smaller],
  ] as const) {
    const operator = await container.plugin('operator', reference, { imageShape: shape });
    for (const [i, name] of names.entries()) {
      const problem = makeProblem({
        name,
        x0: Float32Array.from(means[i % 2] ?? [], (value) => value + i / 20),
        imageShape: shape,
        operator,
        operatorKey: 'any',
        sigmaY: 0.1,
        seed: 3,
      });
      await save(`${place}/${name}`, problem.y.dataSync() as Float32Array, problem.y.shape as unknown as ImageShape);
      disposeProblem(problem);
    }
  }
});

const pictures = (path: string, options: object = {}) => ({
  measurements: { dataset: { id: 'folder', options: { path, channels: 1, ...options } } },
  count: names.length,
});
const recipe = (changes: Partial<ExperimentInput> = {}): ExperimentInput => ({
  title: 'Measured',
  folder,
  model: { id: 'gmm', options: { shape, means, variances: 0.02 } },
  images: pictures('blurred'),
  operators: [{ id: 'blur', options: { size: 3, std: 1 } }],
  sigmaY: 0.1,
  methods: ['dps', 'exact'],
  scheduler: { id: 'ddpm', options: { steps: 10 } },
  engine: 'eager',
  metrics: [],
  samples: 2,
  ...changes,
});
const message = async (changes: Partial<ExperimentInput>): Promise<string> =>
  plan({ recipe: recipe(changes) }).then(
    () => 'no error',
    (error: unknown) => (error as Error).message.replaceAll(`${folder}/`, ''),
  );

/** A PNG of 4 by 4 pixels, grey values from 100 on, of which one is transparent (colour type 4: grey and alpha). */
const greyWithHole = (hole: number): Buffer => {
  const chunk = (type: string, content: Uint8Array): Buffer => {
    const [body, frame] = [Buffer.concat([Buffer.from(type), content]), Buffer.alloc(8)];
    frame.writeUInt32BE(content.length, 0);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const row = (y: number): number[] => [0, 1, 2, 3].flatMap((x) => [100 + 4 * y + x, 4 * y + x === hole ? 0 : 255]);
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', Uint8Array.of(0, 0, 0, 4, 0, 0, 0, 4, 8, 4, 0, 0, 0)),
    chunk('IDAT', deflateSync(Uint8Array.from([0, 1, 2, 3].flatMap((y) => [0, ...row(y)])))),
    chunk('IEND', new Uint8Array()),
  ]);
};

/** The registry of a plugin of one file, beside the pictures. */
const registryOf = (kind: string, id: string, code: string): string => {
  const place = join(folder, `plugin-${id}`);
  mkdirSync(place, { recursive: true });
  const properties = { path: { type: 'string', description: 'The folder.' } };
  const options = { type: 'object', additionalProperties: false, properties };
  const write = (name: string, content: unknown) =>
    writeFileSync(join(place, name), typeof content === 'string' ? content : JSON.stringify(content));
  write('plugin.json', { kind, id, export: id, title: id, options });
  write('package.json', { name: id, type: 'module', exports: './index.js' });
  write('index.js', code);
  write('registry.json', { plugins: { [`${kind}/${id}`]: './' } });
  return join(place, 'registry.json');
};
/** A data set that calls pictures as measurements given as numbers are called, by which random numbers are keyed. */
const numberedCode = `export const numbered = ({ path }, { files }) => ({ imageShape: [4, 4, 1], size: 3, item: async (index) => ({
  name: 'measurement ' + (index + 1),
  x0: await files.readImage(path + '/' + 'abc'[index] + '.png', { height: 4, width: 4, channels: 1 }) }) });`;

describe('measured pictures', () => {
  it('give the numbers that the same measurements give as numbers', async () => {
    const values = await Promise.all(names.map((name) => readPixels(`blurred/${name}`, shape)));
    const [given, shown, called] = [newRun(), newRun(), newRun()];
    const asNumbers = { measurements: values.map((each) => [...each]), count: 3 };
    const numbers = await compare({ recipe: recipe({ images: asNumbers }), out: given });
    const numbered = { measurements: { dataset: { id: 'numbered', options: { path: 'blurred' } } }, count: 3 };
    const same = await compare({
      recipe: recipe({ images: numbered }),
      out: shown,
      registries: [registryOf('dataset', 'numbered', numberedCode)],
    });
    expect(readIndex(shown).rows.map(({ cells }) => cells)).toEqual(readIndex(given).rows.map(({ cells }) => cells));
    expect(same.json.misfit).toEqual(numbers.json.misfit);
    expect(same.json.misfit.map(({ mean }) => mean > 0.1)).toEqual([true, true]);

    const { json, table } = await compare({ recipe: recipe(), out: called });
    const index = readIndex(called);
    expect(index).toMatchObject({ images: names, truthUnknown: true, metrics: [] });
    const stored = index.rows[0]!.problems.map((hash) => loadProblem(called, hash));
    expect(stored.map(({ y }) => [...y.dataSync()])).toEqual(values.map((each) => [...each]));
    stored.forEach(disposeProblem);
    // The streams of random numbers are others, for the names are.
    for (const [i, { mean }] of json.misfit.entries())
      expect(Math.abs(mean - numbers.json.misfit[i]!.mean)).toBeLessThan(0.4);
    expect(table).toContain('Measured: 3 measurements, 2 samples each');
  });

  it('are shown in the report, exported, explained and planned', async () => {
    const out = newRun();
    const { report } = await compare({ recipe: recipe(), out });
    const html = readFileSync(report, 'utf8');
    const [, uri = ''] = /src="data:image\/png;base64,([^"]+)" alt="b.png, measurement"/.exec(html)!;
    const drawn = await decodeImage(Buffer.from(uri, 'base64'), 'y', { height: 4, width: 4, channels: 1 });
    expect([...drawn]).toEqual([...(await readPixels('blurred/b.png', shape))]);
    expect(html).not.toContain('b.png, ground truth');
    expect(html).toContain('not known');
    const { files: written } = await exportRun(out, { out: join(out, 'paper') });
    expect(written.some((path) => path.endsWith('.safetensors'))).toBe(true);
    expect((await explain({ recipe: recipe(), out: newRun() })).table).toContain('dps');
    expect((await plan({ recipe: recipe() })).table).toContain('Measured: 3 measurements of images of 4x4x1');
  });

  it('are in the key of every sample: another picture is another cell, and the others are kept', async () => {
    await save('changing/a.png', flat(shape), shape);
    await save('changing/b.png', flat(shape, 0.3), shape);
    const changing = recipe({ images: { ...pictures('changing'), count: 2 } });
    const out = newRun();
    const cells = async () => {
      await compare({ recipe: changing, out });
      return readIndex(out).rows[0]!.cells;
    };
    const before = await cells();
    expect(await cells()).toEqual(before);
    await save('changing/b.png', flat(shape, 0.35), shape);
    const after = await cells();
    expect(after[0]).toEqual(before[0]);
    expect(after[1]).not.toEqual(before[1]);
  });

  it('say nothing of the range of the images, which the model knows or nobody does', async () => {
    const free = newRun();
    await compare({ recipe: recipe(), out: free });
    expect(readIndex(free).range).toBeUndefined();
    expect(readIndex(free).references).toBeUndefined();
    const [known, dataset] = [newRun(), { id: 'folder', options: { path: 'blurred', size: 4, channels: 1 } }];
    const model = { id: 'empirical', options: { dataset, bandwidth: 0.1 } };
    await compare({ recipe: recipe({ model }), out: known });
    expect(readIndex(known).range).toEqual([-1, 1]);
  });

  it('have a mask each, which may be the hole in the picture itself', async () => {
    mkdirSync(join(folder, 'holes'));
    const holes = [2, 7];
    for (const [i, hole] of holes.entries()) {
      writeFileSync(join(folder, 'holes', names[i]!), greyWithHole(hole));
    }
    const out = newRun();
    const operators = [{ id: 'inpaint', options: { pattern: 'files', files: 'holes' } }];
    await compare({ recipe: recipe({ images: { ...pictures('holes'), count: 2 }, operators }), out });
    for (const [i, hash] of readIndex(out).rows[0]!.problems.entries()) {
      const problem = loadProblem(out, hash);
      const [y, mask] = [problem.y.dataSync(), (problem.drawn as { readonly mask: Tensor }).mask.dataSync()];
      disposeProblem(problem);
      expect([...mask]).toEqual(Array.from({ length: 16 }, (_, k) => (k === holes[i] ? 0 : 1)));
      const value = (k: number): number => Math.fround((100 + k) / 127.5 - 1);
      expect([...y]).toEqual(Array.from({ length: 16 }, (_, k) => (k === holes[i] ? 0 : value(k))));
    }
    expect(await message({ images: pictures('blurred'), operators })).toContain(
      'no mask of holes is called like the image "c.png"',
    );
  });

  it('measure images of several sizes, where the model takes any', async () => {
    for (const [name, side] of [
      ['a.png', 20],
      ['b.png', 24],
    ] as const)
      await save(`sides/${name}`, flat([side, 20, 3]), [side, 20, 3]);
    const any: Partial<ExperimentInput> = {
      model: 'photo',
      images: { ...pictures('sides', { channels: 3 }), count: 2 },
      methods: ['dps'],
      operators: [smaller],
    };
    const { table } = await plan({ recipe: recipe(any) });
    expect(table).toContain('Measured: 2 measurements of images of 2 sizes');
    expect(await message({ ...any, operators: [smaller, 'identity'] })).toBe(
      '[experiment /images/measurements] operator "identity" makes measurements [40, 40, 3] of images [40, 40, 3], and "a.png" is [20, 20, 3].\n' +
        '  operator "identity" makes measurements [48, 40, 3] of images [48, 40, 3], and "b.png" is [24, 20, 3].\n' +
        '  The pictures fit "super-resolution". Measured pictures are neither scaled nor cropped: take out operators that did not make them, change the options of an operator, or choose a model of other images.',
    );
  });
});

describe('measured pictures that do not go with a recipe', () => {
  const colour = flat([4, 4, 3]);
  beforeAll(async () => {
    await save('odd/a.png', flat(shape), shape);
    await save('odd/b.png', flat([4, 5, 1]), [4, 5, 1]);
    await save('odd/c.png', flat([2, 2, 1]), [2, 2, 1]);
    await save('colour/a.png', colour, [4, 4, 3]);
  });

  it.each<[string, Partial<ExperimentInput>, string]>([
    [
      'small ones',
      { images: pictures('small'), operators: ['identity', smaller] },
      '[experiment /images/measurements] operator "identity" makes measurements [4, 4, 1] of images [4, 4, 1], and "a.png" is [2, 2, 1], one of 3 that do not fit.\n' +
        '  The pictures fit "super-resolution". Measured pictures are neither scaled nor cropped: take out operators that did not make them, change the options of an operator, or choose a model of other images.',
    ],
    [
      'some of another size',
      { images: pictures('odd') },
      'operator "blur" makes measurements [4, 4, 1] of images [4, 4, 1], and "b.png" is [4, 5, 1], one of 2 that do not fit. Measured pictures are neither',
    ],
    [
      'a size that they have not',
      { images: pictures('odd', { size: 4 }) },
      '  [odd/b.png] the picture is 4 high and 5 wide, wanted 4 by 4.',
    ],
    [
      'crops',
      { images: pictures('blurred', { crop: 'random', size: 2 }) },
      '[dataset/folder] measured pictures are taken whole, and crop random takes pieces of them. Leave crop out.',
    ],
    [
      'grey ones in three channels',
      { images: pictures('blurred', { channels: 3 }) },
      'and "a.png" is [4, 4, 3], one of 3 that do not fit. If they are grey, say so in the options of the data set (channels: 1 for dataset/folder);',
    ],
    [
      'colours where grey was measured',
      { images: { ...pictures('colour'), count: 1 } },
      '[colour/a.png] the picture has colours, and one that was measured in grey is wanted (channels: 1). Set channels: 3, or give',
    ],
    [
      'an operator that draws at random',
      { operators: ['inpaint'] },
      '[experiment /images/measurements] operator "inpaint" draws its parameters at random, and those that the measurement was made with are not known. Choose options that draw nothing (inpaint: pattern file, or files',
    ],
    [
      'more than there are',
      { images: { ...pictures('blurred'), count: 4 } },
      'images 0 to 3 are wanted, the data set has 3.',
    ],
    [
      'a metric',
      { metrics: ['psnr'] },
      '[experiment /metrics] nothing can be scored: the images behind given measurements are not known. Say "metrics: []".',
    ],
    [
      'a search for options',
      { tune: { images: { from: 'prior', count: 4 }, budget: 100 } },
      '[experiment /tune] options are chosen by a metric against clean images, and those behind measurements are not known. Choose them in a recipe of clean images',
    ],
    [
      'two sources',
      { images: { ...pictures('blurred'), from: 'prior' } },
      'needs one of "from: prior", "dataset" and "measurements".',
    ],
    [
      'no data set',
      { images: { measurements: { datset: 'folder' } as never, count: 1 } },
      '[experiment /images/measurements/datset] "datset" is not a known key. Did you mean "dataset"?',
    ],
    [
      'a path alone',
      { images: { measurements: 'blurred' as never, count: 1 } },
      'must be array or object, got "blurred".',
    ],
  ])('%s', async (_, changes, expected) => {
    expect(await message(changes)).toContain(expected);
  });

  it('an operator that does not say its shape', async () => {
    const code = `export const shapeless = () => ({ linear: true, draw: () => ({}), forward: (x) => x });`;
    const registries = [registryOf('operator', 'shapeless', code)];
    for (const [model, path] of [
      ['gmm', 'blurred'],
      ['photo', 'sides'],
    ] as const) {
      const given = model === 'gmm' ? {} : { model, images: { ...pictures(path, { channels: 3 }), count: 1 } };
      await expect(
        plan({ recipe: recipe({ ...given, operators: ['shapeless'], methods: ['none'] }), registries }),
      ).rejects.toThrow('[operator/shapeless] its measurementShape is undefined. Give the shape of y');
    }
  });

  it('a free energy, which needs windows given as numbers', async () => {
    const freeEnergy = { from: 0, to: 1, bins: 2 };
    await expect(compare({ recipe: recipe({ freeEnergy }), out: newRun() })).rejects.toThrow(
      'the windows are measurements given as values, and these are pictures.',
    );
  });

  it('tune itself', async () => {
    const refused = tune({ recipe: recipe(), out: join(folder, 'tuned.yaml') });
    await expect(refused).rejects.toThrow('[experiment] options are chosen by a metric against clean images');
  });
});

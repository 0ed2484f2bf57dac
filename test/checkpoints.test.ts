/** A published checkpoint in a recipe: what is missing is said, what was used is kept. */
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { decodeProblem, sha256 } from '@tweedie/core';
import { randomCheckpoint } from '@tweedie/networks';
import { encodePng } from '@tweedie/testing';
import { fixtureFolder, hasFixture, readFixtureJson } from '@tweedie/testing/fixtures';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compare, type ExperimentInput, plan } from '@tweedie/experiments';

const scratch = mkdtempSync(join(tmpdir(), 'tweedie-checkpoints-'));
const before = process.env['TWEEDIE_CACHE'];
beforeAll(async () => {
  process.env['TWEEDIE_CACHE'] = join(scratch, 'cache');
  mkdirSync(join(scratch, 'pictures'));
  for (const [k, name] of ['a.png', 'b.png'].entries())
    writeFileSync(
      join(scratch, 'pictures', name),
      await encodePng(new Float32Array(16 * 16 * 3).fill(k / 2), [16, 16, 3]),
    );
  writeFileSync(join(scratch, 'classes.txt'), 'a.png 2\nb.png 0\n');
});
afterAll(() => {
  if (before === undefined) delete process.env['TWEEDIE_CACHE'];
  else process.env['TWEEDIE_CACHE'] = before;
  rmSync(scratch, { recursive: true });
});

/** The network of the card, much smaller. */
const small = {
  image_size: 16,
  num_channels: 32,
  num_res_blocks: 1,
  channel_mult: '1',
  attention_resolutions: 'none',
  learn_sigma: true,
  resblock_updown: true,
};
const recipeOf = (changes: Partial<ExperimentInput> = {}, data: object = {}): ExperimentInput => ({
  model: { id: 'ffhq-256', options: small },
  images: { dataset: { id: 'folder', options: { path: join(scratch, 'pictures'), size: 16, ...data } }, count: 2 },
  operators: ['identity'],
  sigmaY: 0.1,
  methods: ['dps'],
  scheduler: { id: 'ddpm', options: { steps: 2, variance: 'learned-range' } },
  metrics: ['haarpsi'],
  ...changes,
});
const put = (bytes: Uint8Array): string => {
  const path = join(scratch, 'cache/checkpoints/ffhq-256/ffhq_10m.pt');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return sha256(bytes);
};

describe('model: { id: ffhq-256 }', () => {
  it('says where the file is published and how to get it, and works the moment that it is there', async () => {
    await expect(plan({ recipe: recipeOf() })).rejects.toThrow(
      `[model/ffhq-256] ffhq_10m.pt is not in ${join(scratch, 'cache/checkpoints/ffhq-256')}, for weights do not ship. It is published at https://drive.google.com/`,
    );
    const hash = put(randomCheckpoint(small, 1));
    expect((await plan({ recipe: recipeOf() })).total).toEqual({ forwards: 4, vjps: 4 });
    const out = join(scratch, 'run');
    const { json } = await compare({ recipe: recipeOf(), out });
    expect(json.outcome).toBe('done');
    const { provenance } = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8')) as {
      provenance: { name: string; value: string }[];
    };
    const facts = Object.fromEntries(provenance.map(({ name, value }) => [name, value]));
    expect(facts['weights']).toBe(`sha256 ${hash}`);
    expect(facts['checkpoint']).toMatch(
      /^ffhq-256, FFHQ 256, .*; published at https:\/\/drive.*; licence: .*; the card has no SHA-256 to compare the weights with$/,
    );
    expect(readFileSync(json.report, 'utf8')).toContain('<dt>checkpoint</dt><dd>ffhq-256, FFHQ 256');
  });

  it.skipIf(!hasFixture('network-formats', 'adm-clothes.ema.pt'))(
    'keeps which weights of several were taken',
    async () => {
      type Index = { models: Record<string, { config: { image_size: number } }> };
      const { config } = readFixtureJson<Index>('network-formats', 'index.json').models['adm-clothes']!;
      const weights = join(fixtureFolder('network-formats'), 'adm-clothes.ema.pt');
      const model = { id: 'ddpm-vp', options: { ...config, weights } };
      const out = join(scratch, 'averaged');
      const { json } = await compare({
        recipe: recipeOf({ model, metrics: ['psnr'] }, { size: config.image_size }),
        out,
      });
      expect(json.outcome).toBe('done');
      const kept = 'averaged weights taken, "ema"; left out: "step", "model"';
      expect(readFileSync(join(out, 'run.json'), 'utf8')).toContain(JSON.stringify(kept).slice(1, -1));
      expect(readFileSync(json.report, 'utf8')).toContain('averaged weights taken');
    },
  );
});

describe('a class-conditional network', () => {
  const model = { id: 'ffhq-256', options: { ...small, class_cond: true, num_classes: 3 } };
  const labels = { labels: join(scratch, 'classes.txt') };

  it('takes the classes that the data set gives, stored with the problems', async () => {
    put(randomCheckpoint({ ...small, class_cond: true, num_classes: 3 }, 2));
    const out = join(scratch, 'classes');
    const { json } = await compare({ recipe: recipeOf({ model }, labels), out });
    expect(json.outcome).toBe('done');
    const stored = readdirSync(join(out, 'problems')).map((name) =>
      decodeProblem(new Uint8Array(readFileSync(join(out, 'problems', name))), name),
    );
    expect(stored.map(({ name, label }) => [name, label]).sort()).toEqual([
      ['a.png', 2],
      ['b.png', 0],
    ]);
  });

  it('is refused before anything runs where nothing says a class, or one that it does not know', async () => {
    await expect(plan({ recipe: recipeOf({ model }) })).rejects.toThrow(
      '[experiment /images] the model is conditional on one of 3 classes, and the images have none. Give its option label, 0 to 2, for all images, or a data set that says the class of each.',
    );
    const two = { id: 'ffhq-256', options: { ...model.options, num_classes: 2 } };
    await expect(plan({ recipe: recipeOf({ model: two }, labels) })).rejects.toThrow(
      'the class of an image is 2, and the model has the classes 0 to 1.',
    );
    const fixed = { id: 'ffhq-256', options: { ...model.options, label: 1 } };
    expect((await plan({ recipe: recipeOf({ model: fixed }) })).total.forwards).toBe(4);
  });
});

it('a metric whose weights are not there is refused by the plan, with how to get them', async () => {
  const metrics = [{ id: 'lpips', options: { weights: 'vgg16.pth', linear: 'lin.pt' } }];
  await expect(plan({ recipe: recipeOf({ metrics, folder: scratch }) })).rejects.toThrow(
    `[experiment /metrics/0/options/weights] metric/lpips needs ${join(scratch, 'vgg16.pth')}, which is not there and does not ship. torchvision publishes VGG16 as vgg16-397923af.pth`,
  );
  writeFileSync(join(scratch, 'vgg16.pth'), '');
  await expect(plan({ recipe: recipeOf({ metrics, folder: scratch }) })).rejects.toThrow(
    'The piq package publishes the five weights as lpips_weights.pt',
  );
  await expect(plan({ recipe: recipeOf({ metrics: ['fid'] }) })).rejects.toThrow(
    'there is no metric "fid". Distances between sets of pictures (FID, KID) are measured on the features of an Inception network',
  );
});

describe.each([
  ['ffhq', 'ffhq-256', 'ffhq_10m.pt', { path: 'ffhq256' }],
  ['imagenet', 'imagenet-256', '256x256_diffusion_uncond.pt', { path: 'imagenet' }],
])('recipes/%s.yaml', (name, id, file, { path }) => {
  it('plans the moment that the file is there', async () => {
    const place = join(scratch, 'cache/checkpoints', id, file);
    mkdirSync(dirname(place), { recursive: true });
    // A plan reads no weights.
    writeFileSync(place, 'weights');
    const list = readFileSync(new URL('../plugins/dataset-folder/lists/imagenet-200.txt', import.meta.url), 'utf8');
    const pictures = join(scratch, name, path);
    mkdirSync(pictures, { recursive: true });
    const names = list.split('\n').filter((line) => line.startsWith('ILSVRC'));
    expect(names.length).toBe(200);
    for (const each of names) symlinkSync(join(scratch, 'pictures/a.png'), join(pictures, `${each}.png`));
    const recipe = join(scratch, name, `${name}.yaml`);
    copyFileSync(new URL(`../recipes/${name}.yaml`, import.meta.url), recipe);
    const planned = await plan({ recipe });
    expect([planned.images, planned.samples]).toEqual([200, 1]);
    const possible = planned.rows.filter(({ impossible }) => impossible === undefined);
    const operators = name === 'ffhq' ? 5 : 4;
    // The exact score is that of denoising alone; DPS-w knows no factor of its own for it.
    expect(possible.length).toBe(name === 'ffhq' ? 5 * operators + 1 : 6 * operators);
    const cost = new Map(
      possible.map(({ operator, method, cost }) => [`${operator.reference.label}, ${method.reference.label}`, cost]),
    );
    expect(cost.get('inpaint 92 %, DPS')).toEqual({ forwards: 1000, vjps: 1000 });
    expect(cost.get('inpaint 92 %, DPS-w, 100 steps')).toEqual({ forwards: 200, vjps: 100 });
    expect(cost.get('super-resolution x4, DPS-w')).toEqual({ forwards: 2000, vjps: 2000 });
  });
});

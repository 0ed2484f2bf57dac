import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createContainer, decodeSafetensors, noiseProcess, openRegistry, tf, type Image } from '@tweedie/core';
import { createFiles } from '@tweedie/files';
import { describe, expect, it } from 'vitest';
import { train } from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-training-'));
const network = `network: { image_size: 8, num_channels: 32, num_res_blocks: 1, channel_mult: '1,2', attention_resolutions: none, conv_resample: false }`;
const recipeOf = (name: string, changes = '', { images = 96, cooldown = 0 } = {}): string => {
  const file = join(folder, `${name}.train.yaml`);
  writeFileSync(
    file,
    `data: { dataset: { id: emoji, options: { size: 32 } }, scales: [1, 2] }
validation: { dataset: { id: emoji, options: { size: 32 } }, count: 8, every: 48 }
${network}
images: ${images}
batch: 8
optimizer: { rate: 0.003, warmup: 16, cooldown: ${cooldown} }
ema: 200
checkpoint: 1.0e-6
${changes}`,
  );
  return file;
};
const weightsOf = (out: string) => decodeSafetensors(readFileSync(join(out, 'state.safetensors')));
const whole = { recipe: recipeOf('whole'), out: join(folder, 'whole'), threads: 1 };

const child = fileURLToPath(new URL('train-child.ts', import.meta.url));
/** Trains in a process of its own, and kills it without warning once `images` were seen. */
const killedAfter = (recipe: string, out: string, images: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const options = ['--conditions=@tweedie/source', '--import', import.meta.resolve('tsx')];
    const started = spawn(process.execPath, [...options, child, recipe, out], { stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    let complaints = '';
    started.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
    started.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      if (printed.split('\n').some((line) => Number(line) >= images)) started.kill('SIGKILL');
    });
    started.on('error', reject);
    started.on('exit', (code) => (code === 1 ? reject(new Error(complaints)) : resolve(printed)));
  });

describe('training', () => {
  it('has the weights of an uninterrupted one after kill -9, and writes the files it names', async () => {
    const uninterrupted = await train(whole);
    const out = join(folder, 'killed');
    const printed = await killedAfter(whole.recipe, out, 40);
    expect(printed).not.toContain('finished');
    const { card, report, weights } = await train({ ...whole, out });
    for (const name of ['weights', 'ema', 'first', 'second'])
      expect(weightsOf(out).get(name)).toEqual(weightsOf(whole.out).get(name));
    expect(readFileSync(weights)).toEqual(readFileSync(uninterrupted.weights));
    expect(card).toContain(`--model trained:weights=${weights}`);
    expect(card).toMatch(/Held-out images denoised in one step: \d/);
    const page = readFileSync(report, 'utf8');
    expect(page).toContain('<svg');
    expect(page).toContain('data:image/png;base64');
    const [header = '', ...rows] = readFileSync(join(out, 'log.csv'), 'utf8').trim().split('\n');
    expect(header).toContain('denoised_0.1_dB');
    // A validation each 48 images, however far apart the other rows of the log are.
    expect(rows.map((row) => row.split(',')[0])).toEqual(['48', '96']);
    expect(rows.every((row) => Number(row.split(',').at(-1)) > 0)).toBe(true);
    expect(existsSync(join(out, 'samples', '000000096.png'))).toBe(true);
  });

  it('goes on beyond its length, and is done at once where it is done', async () => {
    const before = weightsOf(whole.out).get('weights');
    await train(whole);
    expect(weightsOf(whole.out).get('weights')).toEqual(before);
    await train({ ...whole, images: 104 });
    expect(weightsOf(whole.out).get('weights')).not.toEqual(before);
  });

  it('takes an end and a cool-down on the way, as one that had them from the start, until the rate falls', async () => {
    const ending = ({ images, cooldown }: { images: number; cooldown: number }) =>
      recipeOf(`ending-${images}-${cooldown}`, '', { images, cooldown });
    const out = join(folder, 'cooled');
    await train({ ...whole, out, images: 48 });
    const cooled = ending({ images: 80, cooldown: 32 });
    await train({ ...whole, recipe: cooled, out });
    await train({ ...whole, recipe: cooled, out: join(folder, 'planned') });
    expect(weightsOf(out)).toEqual(weightsOf(join(folder, 'planned')));
    await expect(train({ ...whole, out })).rejects.toThrow(
      'has seen 80 images, and the rate falls before: it was to end at 80, the last 32 of them the cool-down.',
    );
    await train({ ...whole, out: join(folder, 'flat'), images: 48 });
    const early = ending({ images: 56, cooldown: 32 });
    await expect(train({ ...whole, recipe: early, out: join(folder, 'flat') })).rejects.toThrow('it would end at 56');
  });

  it('stops between two steps with all that it has', async () => {
    const out = join(folder, 'stopped');
    const controller = new AbortController();
    const stopped = train({
      ...whole,
      out,
      signal: controller.signal,
      onProgress: ({ done }) => done >= 24 && controller.abort(),
    });
    await expect(stopped).rejects.toThrow('Stopped after 32 images');
    await train({ ...whole, out, images: 96 });
    // `whole` was trained on to 104 images meanwhile.
    await train({ ...whole, out, images: 104 });
    expect(weightsOf(out).get('weights')).toEqual(weightsOf(whole.out).get('weights'));
  });

  it('makes a model that predicts what its averaged weights do, in VP and VE', async () => {
    const container = createContainer({ registry: openRegistry({ quiet: true }), files: createFiles(folder) });
    const x: Image = tf.randomNormal([2, 8, 8, 3], 0, 1, 'float32', 1);
    const process = noiseProcess({ kind: 've' });
    const z = x.mul(0.3);
    const seen = await Promise.all(
      (['vp', 've'] as const).map(async (kind) => {
        const model = await container.plugin('model', {
          id: 'trained',
          options: { weights: join(whole.out, 'weights.safetensors'), process: { kind } },
        });
        await model.load?.();
        const level = model.process.levelAt(0.3);
        const scalars = Object.fromEntries(Object.entries(level).map(([name, value]) => [name, tf.scalar(value)]));
        return model.predict(z.mul(level.signal), scalars as never).x0hat.dataSync();
      }),
    );
    expect(process.levelAt(0.3).sigma).toBe(0.3);
    seen[0]?.forEach((value, i) => expect(value).toBeCloseTo(seen[1]?.[i] ?? NaN, 4));
    container.dispose();
  });

  it('learns', async () => {
    const out = join(folder, 'learns');
    const recipe = recipeOf('learns', 'seed: 1');
    writeFileSync(
      recipe,
      readFileSync(recipe, 'utf8').replace('checkpoint: 1.0e-6\n', '').replace('every: 48', 'every: 800'),
    );
    await train({ recipe, out, images: 1600 });
    const [header = '', ...rows] = readFileSync(join(out, 'log.csv'), 'utf8').trim().split('\n');
    const column = header.split(',').indexOf('validation');
    const losses = rows.map((row) => Number(row.split(',')[column])).filter((loss) => loss > 0);
    // 1 is the loss of a network that says nothing.
    expect(losses.at(-1)).toBeLessThan(0.75);
  });

  it('begins with other weights, and refuses those of another network', async () => {
    const from = join(whole.out, 'weights.safetensors');
    const out = join(folder, 'second');
    await train({ ...whole, out, from, images: 8 });
    expect(weightsOf(out).get('weights')).not.toEqual(weightsOf(whole.out).get('ema'));
    const wide = join(folder, 'wide.train.yaml');
    writeFileSync(wide, readFileSync(whole.recipe, 'utf8').replace("'1,2'", "'1,3'"));
    await expect(train({ recipe: wide, out: join(folder, 'third'), from })).rejects.toThrow(
      'do not fit the configuration',
    );
  });

  it('refuses a folder of another training, and what cannot be trained', async () => {
    const other = recipeOf('other', 'seed: 5');
    await expect(train({ recipe: other, out: whole.out })).rejects.toThrow('belongs to another training');
    const bad = async (changes: string) => train({ recipe: recipeOf('bad', changes), out: join(folder, 'bad') });
    await expect(bad('loss: { kind: ddpm, mean: 1 }')).rejects.toThrow(
      /bad\.train\.yaml:\d+ \/loss\/mean\] belongs to the edm loss/,
    );
    await expect(bad('los: 1')).rejects.toThrow('"los" is not a known key. Did you mean "loss"?');
    const huge = recipeOf('huge', '');
    writeFileSync(huge, readFileSync(huge, 'utf8').replace('rate: 0.003', 'rate: 1.0e+30'));
    await expect(train({ recipe: huge, out: join(folder, 'huge') })).rejects.toThrow('the loss is no number any more');
  });
});

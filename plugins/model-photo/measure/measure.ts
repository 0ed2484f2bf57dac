/**
 * Restores held-out photographs with a trained prior, for `rivals.py` beside it to compare with classical methods: a
 * file `<experiment>.safetensors` for each experiment, and its report, in the folder `--out`.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import {
  at,
  ConfigError,
  createContainer,
  decodeSafetensors,
  encodeSafetensors,
  openRegistry,
  type PluginReference,
  sha256,
  type SafetensorsInput,
} from '@tweedie/core';
import { compare, type ExperimentInput, openResults } from '@tweedie/experiments';
import { cacheFolder, createFiles } from '@tweedie/files';

const { values } = parseArgs({
  options: {
    weights: { type: 'string', default: join(import.meta.dirname, '../weights.safetensors') },
    out: { type: 'string', default: 'runs/measure-photo' },
    only: { type: 'string', default: 'all' },
    crops: { type: 'string', default: '64' },
    samples: { type: 'string', default: '16' },
    threads: { type: 'string' },
  },
});
const whole = (name: 'crops' | 'samples'): number => {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 1)
    throw new ConfigError(
      `--${name}`,
      `must be a whole number from 1, got ${values[name]}.`,
      `Give --${name} 16, say.`,
    );
  return value;
};
const [crops, samples] = [whole('crops'), whole('samples')];
const out = resolve(values.out);
const weights = resolve(values.weights);
if (!existsSync(weights))
  throw new ConfigError(weights, 'there are no such weights.', 'Give --weights, the file that tweedie train wrote.');
mkdirSync(out, { recursive: true });

/** Held-out crops. The log of the training shows those of seed 0, rivals are tuned on those of seed 2. */
const cropsOf = (seed: number) => ({
  id: 'photographs',
  options: { split: 'test', size: 64, crops, scales: [2, 3, 4], seed },
});
/** Whole held-out photographs, scaled down until the short side is `WHOLE`; what is longer is cut on both sides. */
const WHOLE = 256;
const photographs = {
  id: 'folder',
  options: { path: join(cacheFolder(), 'dataset-photographs', 'test'), size: WHOLE },
};

const edm = (options: Readonly<Record<string, number>>) => ({ id: 'edm', options });
/** One step from so much noise that nothing of it is left in the combined state: D(y, sigmaY), to 0.001 sigmaY. */
const oneStep = { id: 'exact', label: 'one step', scheduler: edm({ steps: 1, sigmaMax: 100 }) };
const common = {
  model: { id: 'trained', options: { weights } },
  operators: ['identity'],
  sigmaY: [0.1, 0.2],
  chunk: 16,
  engine: { id: 'onnxruntime', options: values.threads === undefined ? {} : { threads: Number(values.threads) } },
};
const ofCrops = { images: { dataset: cropsOf(1), count: crops } };
const averaged = { model: { id: 'self-ensemble', options: { model: common.model } }, chunk: 4 };
/** `chosen` on crops of seed 2, as the rivals' options are: see the README. */
const linear = (
  operator: PluginReference,
  sigmaY: number,
  chosen: { readonly options: Readonly<Record<string, number | boolean>>; readonly scheduler: PluginReference },
): ExperimentInput => ({
  ...common,
  ...ofCrops,
  operators: [operator],
  sigmaY,
  methods: [{ id: 'dps-w', ...chosen }],
  samples,
});
const hidden = { id: 'inpaint', options: { pattern: 'random', rate: 0.7 } };
const filling = linear(hidden, 0.01, {
  options: { enhanced: true },
  scheduler: edm({ steps: 30, sigmaMax: 20, sigmaMin: 0.01 }),
});
const noisyFilling = linear(hidden, 0.1, {
  options: { enhanced: true, scale: 2 },
  scheduler: { id: 'ddpm', options: { steps: 50 } },
});
const ofPhotographs = { images: { dataset: photographs, count: 8 }, chunk: 1 };
/** What the schedule does to draws: converged ones, and those that start too low, stop too early, or add noise. */
const schedules = [
  ...[10, 25, 60].map((steps) => edm({ steps, sigmaMax: 10, sigmaMin: 0.01 })),
  edm({ steps: 25, sigmaMax: 20, sigmaMin: 0.01 }),
  ...[18, 25, 40].map((steps) => edm({ steps, sigmaMax: 80, sigmaMin: 0.01 })),
  ...[50, 100, 200].map((steps) => ({ id: 'ddpm', options: { steps } })),
];
const experiments: Readonly<Record<string, () => ExperimentInput>> = {
  'one-step': () => ({ ...common, ...ofCrops, methods: [oneStep] }),
  'one-step-self-ensemble': () => ({ ...common, ...ofCrops, methods: [oneStep], ...averaged }),
  whole: () => ({ ...common, methods: [oneStep], ...ofPhotographs }),
  'whole-self-ensemble': () => ({ ...common, methods: [oneStep], ...averaged, ...ofPhotographs }),
  posterior: () => ({
    ...common,
    ...ofCrops,
    methods: [{ id: 'exact', scheduler: edm({ steps: 40, sigmaMax: 80, sigmaMin: 0.01 }) }],
    samples,
  }),
  levels: () => ({
    ...common,
    images: { dataset: cropsOf(1), count: Math.min(crops, 24) },
    sigmaY: 0.1,
    methods: schedules.map(({ id, options }) => ({
      id: 'exact',
      label: [id, ...Object.values(options)].join(' '),
      scheduler: { id, options },
    })),
    samples: 6,
  }),
  inpaint: () => filling,
  'inpaint-self-ensemble': () => ({ ...filling, ...averaged }),
  'inpaint-noisy': () => noisyFilling,
  'whole-inpaint': () => ({ ...filling, ...ofPhotographs }),
  'whole-inpaint-noisy': () => ({ ...noisyFilling, ...ofPhotographs }),
  'super-resolution': () =>
    linear({ id: 'super-resolution', options: { factor: 4 } }, 0.01, {
      options: { scale: 4 },
      scheduler: { id: 'ddpm', options: { steps: 100 } },
    }),
};

type Stack = Map<string, SafetensorsInput>;
const stacked = (shape: readonly number[], rows: readonly Float32Array[]): SafetensorsInput => ({
  dtype: 'F32',
  shape: [rows.length, ...shape],
  data: Float32Array.from(rows.flatMap((row) => [...row])),
});
const write = (name: string, tensors: Stack, drawn = 0): void => {
  const facts = { weights: sha256(readFileSync(weights)), samples: String(drawn) };
  writeFileSync(join(out, `${name}.safetensors`), encodeSafetensors(tensors, facts));
  process.stdout.write(`${join(values.out, `${name}.safetensors`)}\n`);
};

/** What `compare` says of its last run: the problem of each image, and the key of each of its samples. */
type Index = {
  readonly rows: readonly {
    readonly operator: string;
    readonly sigmaY: number;
    readonly label: string;
    readonly problems: readonly string[];
    readonly cells: readonly (readonly string[])[];
  }[];
};
const meanOf = (parts: readonly Float32Array[]): Float32Array =>
  at(parts, 0, 'sample').map((_, k) => parts.reduce((sum, part) => sum + (part[k] ?? 0), 0) / parts.length);

/**
 * The problems of a run and, by operator and noise, and by the row's label where there are several, the mean of each
 * one's samples as `restored` and one of them as `sample`.
 */
const collect = async (folder: string): Promise<Stack> => {
  const results = await openResults(folder);
  try {
    const { rows } = JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')) as Index;
    const tensors: Stack = new Map();
    const several = new Set(rows.map(({ label }) => label)).size > 1;
    for (const { operator, sigmaY, label, problems, cells } of rows) {
      const columns = new Map<string, { shape: readonly number[]; images: Float32Array[] }>();
      const add = (name: string, shape: readonly number[], data: Float32Array): void => {
        const column = columns.get(name) ?? { shape, images: [] };
        column.images.push(data);
        columns.set(name, column);
      };
      for (const [index, problem] of problems.entries()) {
        const path = join(folder, 'problems', `${problem}.safetensors`);
        for (const [name, { shape, data }] of decodeSafetensors(readFileSync(path), path))
          add(name, shape, Float32Array.from(data as Float32Array));
        const keys = at(cells, index, 'problem');
        const drawn = await Promise.all(keys.map(results.readSample));
        const shape = columns.get('x0')?.shape ?? [];
        add('restored', shape, meanOf(drawn));
        add('sample', shape, at(drawn, 0, 'sample'));
      }
      for (const [name, { shape, images }] of columns)
        tensors.set(`${operator} ${sigmaY}${several ? ` ${label}` : ''}/${name}`, stacked(shape, images));
    }
    return tensors;
  } finally {
    results.close();
  }
};

const all = ['tuning', ...Object.keys(experiments)];
for (const name of values.only === 'all' ? all : values.only.split(',')) {
  if (name === 'tuning') {
    const container = createContainer({ registry: openRegistry({ folders: [] }), files: createFiles('.') });
    const { imageShape, size, item } = await container.plugin('dataset', cropsOf(2));
    const items = await Promise.all(Array.from({ length: size }, (_, index) => item(index)));
    write(
      name,
      new Map([
        [
          'x0',
          stacked(
            imageShape,
            items.map(({ x0 }) => x0),
          ),
        ],
      ]),
    );
    container.dispose();
    continue;
  }
  const recipe = experiments[name]?.();
  if (recipe === undefined) throw new ConfigError('--only', `there is no experiment ${name}.`, `Take of: ${all}.`);
  const folder = join(out, name);
  const { table, failures } = await compare({ recipe: { title: name, ...recipe }, out: folder });
  process.stdout.write(`${table}\n`);
  if (failures.length > 0)
    throw new ConfigError(
      folder,
      `${failures.length} samples failed.`,
      'See the table above; a mean needs all of them.',
    );
  write(name, await collect(folder), recipe.samples ?? 1);
}

import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openRegistry } from '@tweedie/core';
import {
  compare,
  explain,
  plan,
  readRecipe,
  tune,
  type Experiment,
  type ExperimentInput,
  type Overrides,
} from '../src/index.ts';
import { resolveExperiment } from '../src/recipe/resolve.ts';
import { expandSweep } from '../src/recipe/sweep.ts';

const registry = openRegistry();

const input: ExperimentInput = {
  model: {
    id: 'gmm',
    options: {
      shape: [1, 2, 1],
      means: [
        [-1, 0],
        [1, 0],
      ],
      variances: [0.1, 0.2],
    },
  },
  images: { from: 'prior', count: 4 },
  operators: ['identity'],
  sigmaY: 0.1,
  methods: ['exact'],
  engine: 'eager',
};
const resolve = (changes: Partial<ExperimentInput> = {}, overrides: Overrides = {}): Experiment =>
  resolveExperiment(readRecipe({ ...input, ...changes }), registry, overrides);

/** The message of a recipe that is a file, with the file's name in place of its path. */
const messageOf = (yaml: string): string => {
  const file = join(mkdtempSync(join(tmpdir(), 'tweedie-recipe-')), 'bad.yaml');
  writeFileSync(file, yaml);
  try {
    resolveExperiment(readRecipe(file), registry);
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message.replaceAll(file, 'bad.yaml')}` : String(error);
  }
  return 'no error';
};
const yaml = (
  lines: string,
): string => `model: { id: gmm, options: { shape: [1, 2, 1], means: [[0, 0]], variances: [1] } }
images: { from: prior, count: 4 }
${lines}`;

describe('an experiment', () => {
  it('completes what is left out', () => {
    const { engine: _, ...rest } = input;
    expect(readRecipe(rest).input.engine).toBe('onnxruntime');
    const experiment = resolve();
    expect(experiment.scheduler).toMatchObject({ id: 'ddpm' });
    expect(experiment.metrics.map(({ id }) => id)).toEqual(['psnr']);
    expect(experiment).toMatchObject({
      title: 'experiment',
      seed: 0,
      samples: 1,
      impossible: 'error',
      sigmaY: [0.1],
      images: { count: 4, offset: 0 },
    });
    expect(experiment.methods[0]).toMatchObject({ id: 'exact', label: 'exact' });
  });

  it('takes Poisson noise by its rate, tells methods sigmaY at mid-grey and says so in the labels', () => {
    const { operators, sigmaY, poisson } = resolve({ sigmaY: { poisson: 0.5 } });
    expect([operators.map(({ label }) => label), poisson]).toEqual([['identity, Poisson noise of rate 0.5'], 0.5]);
    expect(sigmaY).toEqual([0.125]); // sqrt(2 / (255 * 0.5))
    expect(resolve().poisson).toBeUndefined();
    expect(messageOf(yaml('operators: [identity]\nsigmaY: { poisson: 0 }\nmethods: [exact]'))).toBe(
      'ConfigError: [bad.yaml:4 /sigmaY/poisson] must be > 0, got 0.',
    );
  });

  it('makes a row of each value of a sweep, and says so in the label', () => {
    const { methods } = resolve({
      methods: [{ id: 'dps', label: 'DPS', options: { scale: [0.3, 1], form: ['norm', 'squared'] } }],
    });
    expect(methods.map(({ label }) => label)).toEqual([
      'DPS scale=0.3 form=norm',
      'DPS scale=0.3 form=squared',
      'DPS scale=1 form=norm',
      'DPS scale=1 form=squared',
    ]);
    expect(methods[3]?.options).toMatchObject({ scale: 1, form: 'squared', clamp: true });
  });

  it('takes a list as a value where the option is one', () => {
    const schema = {
      properties: {
        sizes: { type: 'array' },
        either: { oneOf: [{ type: 'number' }, { type: 'array' }] },
        scale: { type: 'number' },
      },
    };
    const rows = expandSweep({ sizes: [1, 2], either: [3, 4], scale: [5, 6] }, schema);
    expect(rows).toEqual([
      { options: { sizes: [1, 2], either: [3, 4], scale: 5 }, swept: { scale: 5 }, suffix: ' scale=5' },
      { options: { sizes: [1, 2], either: [3, 4], scale: 6 }, swept: { scale: 6 }, suffix: ' scale=6' },
    ]);
  });

  it('gives each method its own steps and scheduler', () => {
    const methods: ExperimentInput['methods'] = [
      'exact',
      { id: 'dps', steps: 50 },
      { id: 'none', scheduler: { id: 'ddim', options: { steps: 10 } } },
    ];
    const scheduler = { id: 'ddpm', options: { steps: 100 } };
    expect(
      resolve({ methods, scheduler }).methods.map((method) => [method.scheduler.id, method.scheduler.options['steps']]),
    ).toEqual([
      ['ddpm', 100],
      ['ddpm', 50],
      ['ddim', 10],
    ]);
    expect(
      resolve({ methods, scheduler }, { steps: 7 }).methods.map((method) => method.scheduler.options['steps']),
    ).toEqual([7, 7, 7]);
  });

  it('is changed by the command line', () => {
    expect(resolve({}, { limit: 2, samples: 3, engine: 'eager' })).toMatchObject({
      images: { count: 2 },
      samples: 3,
      engine: { id: 'eager' },
    });
    expect(resolve({}, { limit: 9 }).images.count).toBe(4);
  });

  it('has options that hold on single problems, over those of the row and its preset', () => {
    const perProblem = [
      { operator: 'identity', sigmaY: 0.1, options: { preset: 'ffhq/inpaint-random', clamp: false } },
      { operator: 'half', options: { scale: 2 } },
    ];
    const { methods } = resolve({
      operators: ['identity', { id: 'inpaint', label: 'half' }],
      sigmaY: [0.1, 0.2],
      methods: [{ id: 'dps', options: { form: 'squared' }, perProblem }],
    });
    expect(methods[0]?.options).toMatchObject({ form: 'squared', scale: 1, clamp: true });
    expect(methods[0]?.perProblem.map(({ operator, sigmaY, options }) => [operator, sigmaY, options])).toMatchObject([
      ['identity', 0.1, { form: 'squared', scale: 0.5, clamp: false }],
      ['half', undefined, { form: 'squared', scale: 2, clamp: true }],
    ]);
    const sweptToo = () =>
      resolve({
        methods: [
          { id: 'dps', options: { scale: [0.1, 1] }, perProblem: [{ operator: 'identity', options: { scale: 5 } }] },
        ],
      });
    expect(sweptToo).toThrow(
      '[experiment /methods/0/perProblem/0/options/scale] the row has a list for scale, and its rows are named after the values. Leave it out here, or give the row one value.',
    );
    const refused = (entries: typeof perProblem | readonly { operator: string; options: object }[]) => () =>
      resolve({ methods: [{ id: 'dps', perProblem: entries as typeof perProblem }] });
    expect(refused(perProblem)).toThrow('[experiment /methods/0/perProblem/1/operator] no operator is called "half".');
    expect(refused([{ operator: 'identity', sigmaY: 0.3, options: {} } as never])).toThrow(
      'the experiment has no noise level 0.3, it has 0.1.',
    );
    expect(
      refused([
        { operator: 'identity', options: {} },
        { operator: 'identity', options: {} },
      ]),
    ).toThrow('a second entry holds on operator "identity" at sigmaY 0.1.');
  });

  it('refuses two rows of one name', () => {
    expect(() => resolve({ methods: ['dps', { id: 'dps', options: { scale: 0.3 } }] })).toThrow(
      '[experiment /methods] two methods are called "dps". Give each a label of its own.',
    );
  });
});

describe('recipes that ship', () => {
  const folder = fileURLToPath(new URL('../../../recipes', import.meta.url));
  it.each(readdirSync(folder).filter((name) => /\.(ya?ml|json)$/.test(name)))('%s', (name) => {
    const experiment = resolveExperiment(readRecipe(join(folder, name)), registry);
    expect(experiment.methods.length).toBeGreaterThan(0);
  });

  it.each(readdirSync(folder).filter((name) => /\.(ya?ml|json)$/.test(name)))('%s can be planned', async (name) => {
    const planned = plan({ recipe: join(folder, name) });
    const { model } = readRecipe(join(folder, name)).input;
    const { card } = registry.find('model', typeof model === 'string' ? model : model.id);
    // Weights that others publish are not here; test/checkpoints.test.ts plans these with a file in their place.
    if (card) return expect(planned).rejects.toThrow('for weights do not ship. It is published at https://');
    expect((await planned).rows.some(({ impossible: why }) => why === undefined)).toBe(true);
  });
});

describe('a recipe with a mistake', () => {
  const rest = 'operators: [identity]\nsigmaY: 0.1\n';
  it.each([
    [
      'a misspelt key',
      yaml(`${rest}method: [exact]`),
      'ConfigError: [bad.yaml:5 /method] "method" is not a known key. Did you mean "methods"?',
    ],
    [
      'a wrong type',
      yaml(`${rest}methods: [exact]\nsamples: many`),
      'ConfigError: [bad.yaml:6 /samples] must be integer, got "many".',
    ],
    [
      'a negative sigmaY',
      yaml('operators: [identity]\nsigmaY: -0.1\nmethods: [exact]'),
      'ConfigError: [bad.yaml:4 /sigmaY] must be >= 0, got -0.1.',
    ],
    [
      'an unknown id',
      yaml(`${rest}methods:\n  - exact\n  - dsp`),
      'ConfigError: [bad.yaml:7 /methods/1] there is no guidance "dsp". Did you mean "dps"',
    ],
    [
      'a misspelt option',
      yaml(`${rest}methods:\n  - id: dps\n    options:\n      scael: 1`),
      'ConfigError: [bad.yaml:8 /methods/0/options/scael] "scael" is not a known key. Did you mean "scale"?',
    ],
    [
      'an option out of range',
      yaml(`${rest}methods: [{ id: dps, options: { scale: -1 } }]`),
      'ConfigError: [bad.yaml:5 /methods/0/options/scale] must be >= 0, got -1.',
    ],
    [
      'no images',
      yaml(`${rest}methods: [exact]`).replace('from: prior, ', ''),
      'ConfigError: [bad.yaml:2 /images] needs one of "from: prior", "dataset" and "measurements". Keep one of them.',
    ],
    [
      'a sweep over nothing',
      yaml(`${rest}methods: [{ id: dps, options: { scale: [] } }]`),
      'ConfigError: [bad.yaml:5 /methods/0/options/scale] is an empty list, which makes no row. Give at least one value.',
    ],
    [
      'a seed that loses digits',
      yaml(`${rest}methods: [exact]\nseed: 1e30`),
      'ConfigError: [bad.yaml:6 /seed] must be <= 9007199254740991, got 1e+30.',
    ],
    [
      'more samples than can be kept',
      yaml(`${rest}methods: [exact]\nsamples: 100000000`),
      'ConfigError: [bad.yaml] asks for 400000000 samples in 1 row, a run holds at most 10000000. Lower the number of images, samples or rows.',
    ],
    [
      'a chunk that no memory holds',
      yaml(`${rest}methods: [exact]\nchunk: 100000000000`),
      'ConfigError: [bad.yaml:6 /chunk] must be <= 1048576, got 100000000000.',
    ],
    [
      'traces of images without their number of levels',
      yaml(`${rest}methods: [exact]\ntraceImages: 3`),
      'ConfigError: [bad.yaml:6 /traceImages] has no effect without trace. Add "trace"',
    ],
    [
      'no keys',
      'hello',
      'ConfigError: [bad.yaml] is not an experiment: it holds no keys such as "model" and "methods". Start from recipes/quickstart.yaml.',
    ],
    [
      'nothing in it',
      '',
      'ConfigError: [bad.yaml] is not an experiment: it holds no keys such as "model" and "methods".',
    ],
    [
      'an alias in its own anchor',
      'model: gmm\nimages: { from: prior, count: 1 }\noperators: &all\n  - identity\n  - *all\n',
      'ConfigError: [bad.yaml:5 /operators/1] holds itself, without end. An alias (*name) cannot stand within its own anchor (&name): write out what is meant.',
    ],
    [
      'more bytes than are read',
      '#'.repeat(17 * 2 ** 20),
      'ConfigError: [bad.yaml] has 17 MB; experiment files of at most 16 MB are read. Keep numbers in files that it names',
    ],
    ['no YAML', 'model: [', 'ConfigError: [bad.yaml] is not valid YAML'],
    [
      'YAML that breaks in a line',
      'model: gmm\nimages: a: b\n',
      'ConfigError: [bad.yaml] is not valid YAML: Nested mappings are not allowed in compact mappings at line 2, column 9, in «images: a: b».',
    ],
    [
      'a quote that is never closed',
      'model: gmm\ntitle: "mine\n\n',
      'ConfigError: [bad.yaml] is not valid YAML: Missing closing "quote at line 4, column 1, below «title: "mine».',
    ],
    [
      'an alias without an anchor, below one that has one',
      'model: &prior gmm\nimages: *prior\noperators: *none\n',
      'ConfigError: [bad.yaml:3] is not valid YAML: Unresolved alias (the anchor must be set before the alias): none. Correct its aliases',
    ],
    [
      'an alias without an anchor',
      'model: *prior',
      'ConfigError: [bad.yaml:1] is not valid YAML: Unresolved alias (the anchor must be set before the alias): prior. Correct its aliases',
    ],
    [
      'a number that is none',
      yaml('operators: [identity]\nmethods: [dps]\nsigmaY: .inf'),
      'ConfigError: [bad.yaml:5 /sigmaY] must be number or string or array or object, got Infinity.',
    ],
    [
      'a blur wider than any kernel',
      yaml('operators: [{ id: blur, options: { std: 1.0e+99 } }]\nmethods: [dps]\nsigmaY: 0.1'),
      'ConfigError: [bad.yaml:3 /operators/0/options/std] must be <= 1023, got 1e+99.',
    ],
  ])('%s: one message with the line', (_, text, message) => {
    expect(messageOf(text).slice(0, message.length)).toBe(message);
  });

  it('says which file is not there', () => {
    expect(() => readRecipe('no/such.yaml')).toThrow('[no/such.yaml] the experiment file cannot be read');
  });

  it.each<(options: never) => Promise<unknown>>([compare, plan, tune, explain])(
    '%o says where its content belongs when that is given bare',
    async (verb) => {
      await expect(verb(input as never)).rejects.toMatchObject({
        name: 'ConfigError',
        message:
          "[experiment] the key `recipe` is missing. Give a path, compare({ recipe: 'my.yaml' }), or the content, compare({ recipe: { model, images, ... } }); options such as `out` stand beside it.",
      });
    },
  );
});

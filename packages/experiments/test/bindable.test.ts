/** A method that finds in `bind`, when the prior was read, that it cannot work: its row alone is lost. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compare, explain, plan, type ExperimentInput } from '../src/index.ts';

const folder = (): string => mkdtempSync(join(tmpdir(), 'tweedie-bindable-'));
const d = 1026;
/** Variances of the channels of a pixel that colorize mixes: no closed form, which only their numbers show. */
const recipe: ExperimentInput = {
  title: 'Bound',
  model: {
    id: 'gmm',
    options: {
      shape: [18, 19, 3],
      means: [Array.from({ length: d }, () => 0)],
      variances: [Array.from({ length: d }, (_, i) => 0.1 + (i % 3) / 10)],
    },
  },
  images: { from: 'prior', count: 2 },
  operators: ['colorize', 'identity'],
  sigmaY: [0.1, 0.2],
  methods: [{ id: 'exact', options: { path: 'closed-form' }, label: 'exact' }, 'none'],
  scheduler: { id: 'ddpm', options: { steps: 3 } },
  engine: 'eager',
  impossible: 'skip',
};
const reason =
  "[guidance/exact] no closed form: diagonal covariances are not diagonal in the basis of this operator's svd, " +
  'and images of 1026 entries exceed the dense limit of 1024. Use smaller images, or another method';

describe('a method that refuses in bind', () => {
  it('is one skipped row under impossible: skip, and the others have their table', async () => {
    const out = join(folder(), 'run');
    const { table, json } = await compare({ recipe, out });
    expect(table).toContain(`  exact: skipped, ${reason}`);
    const ran = ['colorize 0.1 none', 'colorize 0.2 none', 'identity 0.1 exact', 'identity 0.1 none'];
    const rowsOf = ({ rows }: typeof json) =>
      rows.map(({ operator, sigmaY, label }) => `${operator} ${sigmaY} ${label}`);
    expect(rowsOf(json)).toEqual([...ran, 'identity 0.2 exact', 'identity 0.2 none']);
    // Another run of the same folder says the same.
    expect((await compare({ recipe, out })).table).toContain(`  exact: skipped, ${reason}`);
  });

  it('is told before anything is drawn under impossible: error', async () => {
    const out = join(folder(), 'run');
    const sampling: unknown[] = [];
    const { impossible: _, ...strict } = recipe;
    const run = compare({
      recipe: strict,
      out,
      onProgress: ({ phase }) => (phase === 'sampling' ? sampling.push(phase) : undefined),
    });
    await expect(run).rejects.toThrow(
      `[experiment] method "exact" cannot work with operator "colorize": ${reason}. Take the pair out, or say "impossible: skip" to show such rows as skipped.`,
    );
    expect(sampling).toEqual([]);
    expect(existsSync(join(out, 'report.html'))).toBe(false);
  });

  it('is impossible in a plan that measures, and skipped in an explanation', async () => {
    const { json } = await plan({ recipe: { ...recipe, sigmaY: 0.1 }, measure: true });
    expect(json.rows.map(({ impossible }) => impossible)).toEqual([reason, null, null, null]);
    const { json: explained } = await explain({
      recipe: { ...recipe, sigmaY: 0.1, samples: 2, images: { from: 'prior', count: 1 } },
      out: folder(),
    });
    expect(explained.skipped).toMatchObject([{ operator: 'colorize', label: 'exact', reason }]);
  });
});

it('an error in bind that is not about the input costs the others nothing under impossible: skip', async () => {
  const place = folder();
  mkdirSync(join(place, 'broken'));
  const write = (name: string, text: string) => writeFileSync(join(place, name), text);
  write('broken/plugin.json', JSON.stringify(manifest));
  write('broken/package.json', JSON.stringify({ name: 'broken', type: 'module', main: 'index.js' }));
  write(
    'broken/index.js',
    'export const broken = () => ({ bind: () => { throw new TypeError("x is not a function"); } });\n',
  );
  write('registry.json', JSON.stringify({ plugins: { 'guidance/broken': './broken' } }));
  const local = {
    ...recipe,
    operators: ['identity'],
    sigmaY: 0.1,
    methods: ['broken', 'none'],
  } satisfies ExperimentInput;
  const registries = [join(place, 'registry.json')];
  const { table, json } = await compare({ recipe: local, registries, out: join(place, 'run') });
  expect(table).toContain('  broken: skipped, its bind failed: x is not a function');
  expect(json.rows.map(({ label }) => label)).toEqual(['none']);
  const strict = compare({ recipe: { ...local, impossible: 'error' }, registries, out: join(place, 'strict') });
  await expect(strict).rejects.toThrow('x is not a function');
  expect(readdirSync(place)).toContain('strict');
});

const manifest = {
  kind: 'guidance',
  id: 'broken',
  export: 'broken',
  title: 'A method whose bind throws',
  needs: [],
  provides: [],
  options: { type: 'object', additionalProperties: false, properties: {} },
};

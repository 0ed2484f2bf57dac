/** Every suite of `recipes` whose posterior is known: independent draws score what independent draws score. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { expect, it } from 'vitest';
import { compare, type ComparisonJson, type ExperimentInput } from '../src/index.ts';

const folder = fileURLToPath(new URL('../../../recipes/', import.meta.url));
const MOST_IMAGES = 4;

/** The recipe with the posterior as its one row, on few images. */
const truthOf = (name: string): ExperimentInput => {
  const {
    images,
    freeEnergy: _,
    budget: __,
    tune: ___,
    ...recipe
  } = parse(readFileSync(join(folder, `${name}.yaml`), 'utf8')) as ExperimentInput;
  return {
    ...recipe,
    folder,
    images: { ...images, count: Math.min(images.count, MOST_IMAGES) },
    methods: ['posterior'],
    floor: false,
    metrics: [],
    samples: 40,
    chunk: 64,
  };
};

/** The larger ones take 20 s of processor time. */
const full = process.env['TWEEDIE_FULL'] === '1';
const suites = [
  'gmm25',
  'gmm25-p2',
  'gmm25-p4',
  'bipsda',
  'mixture',
  'double-well',
  ...(full ? ['patches', 'gaussian', 'levy'] : []),
];

it(`independent draws are within the floor on every measure of ${suites.join(', ')}`, async () => {
  const all: (ComparisonJson['distances'][number] & { readonly suite: string })[] = [];
  for (const suite of suites) {
    const out = join(mkdtempSync(join(tmpdir(), 'tweedie-suite-')), 'run');
    const { json } = await compare({ recipe: truthOf(suite), out });
    expect(json.distances.length, suite).toBeGreaterThan(9);
    all.push(...json.distances.map((each) => ({ ...each, suite })));
  }
  const scored = all.flatMap(({ iid, ...each }) => (iid === undefined ? [] : [{ ...each, iid }]));
  // Of ranges that hold 95 of 100 rows, and of as many rows, some fall outside; none lies far.
  const missed = scored.filter(({ mean, iid }) => mean < iid.low || mean > iid.high);
  expect(missed.length, missed.map(({ suite, measure }) => `${suite} ${measure}`).join(', ')).toBeLessThan(
    0.1 * scored.length,
  );
  for (const { suite, operator, measure, mean, iid } of scored)
    expect(Math.abs(mean - iid.mean), `${suite}, ${operator}, ${measure}`).toBeLessThanOrEqual(
      2.5 * (iid.high - iid.mean) + 1e-9,
    );
});

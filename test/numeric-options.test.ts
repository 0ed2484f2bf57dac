/**
 * `tweedie plan` times rows once that differ in options of type `number` alone: to hold for a method, such an option
 * must be an input of what it compiles.
 */
import { openRegistry, type JsonSchema, type Manifest, type TensorTree } from '@tweedie/core';
import { jit, sessionPool } from '@tweedie/jit';
import { bind, mixturePrior, randomProblems, sampleRows, testContainer } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';

const imageShape = [1, 4, 1] as const;
const context = testContainer();
const model = await mixturePrior({ imageShape, components: 2, variances: 0.05 });
const operator = await context.plugin('operator', { id: 'inpaint', options: { rate: 0.5 } }, { imageShape });
const scheduler = await context.plugin('scheduler', { id: 'ddpm', options: { steps: 3 } });
const problems = randomProblems(operator, imageShape, 2, 0.2);

const numbersOf = ({ options }: Manifest): readonly (readonly [name: string, value: number])[] =>
  Object.entries((options['properties'] ?? {}) as Readonly<Record<string, JsonSchema>>).flatMap(([name, schema]) =>
    schema['type'] === 'number' ? [[name, Number(schema['default'] ?? 0.05)] as const] : [],
  );

/** Runs a method with one set of options after the other, and counts the graphs that were made. */
const graphsOf = async (id: string, rows: readonly Readonly<Record<string, unknown>>[]): Promise<number> => {
  const pool = sessionPool();
  const engine = {
    id: 'pooled',
    facts: {},
    compile: <A extends readonly TensorTree[], R extends TensorTree>(fn: (...args: A) => R) => jit(fn, { pool }),
  };
  const made: number[] = [];
  for (const options of rows) {
    const run = await bind(await context.plugin('guidance', { id, options }), { engine, model, operator, scheduler });
    const { failures } = await sampleRows(run, problems);
    expect(failures).toEqual([undefined, undefined]);
    run.bound.dispose();
    await new Promise(setImmediate);
    made.push(pool.made);
  }
  pool.dispose();
  const [first = NaN, last = NaN] = [made[0], made.at(-1)];
  expect(first).toBeGreaterThan(0);
  return last - first;
};

describe('numeric options of methods', () => {
  const options = openRegistry({ folders: [] })
    .manifests.filter(({ kind }) => kind === 'guidance')
    .flatMap((manifest) => numbersOf(manifest).map(([name, value]) => [manifest.id, name, value] as const));

  it.each(options)('%s: another %s makes no other graph', async (id, name, value) => {
    expect(await graphsOf(id, [{ [name]: value }, { [name]: 0.9 * value }])).toBe(0);
  });

  it('would be told from those that do', async () => {
    expect(await graphsOf('dps', [{ form: 'norm' }, { form: 'squared' }])).toBe(1);
  });
});

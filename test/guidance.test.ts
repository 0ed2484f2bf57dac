/** What every guidance method in the registry must hold; the methods are enumerated, so a new one is tested the day it is registered. */
import { readFileSync } from 'node:fs';
import { batchRandom, type Guidance, type Operator, type Problem, stackProblems, tensorsOf, type Tensor } from '@tweedie/core';
import { bind, mixturePrior, randomProblems, relativeDifference, type Run, sampleRows, testContainer } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';

const { plugins } = JSON.parse(readFileSync(new URL('../registry.json', import.meta.url), 'utf8')) as { plugins: Record<string, string> };
const methods = Object.keys(plugins).flatMap((name) => (name.startsWith('guidance/') ? [name.slice('guidance/'.length)] : []));
/** Options under which a method that has long runs of its own is quick enough here. */
const quick: Readonly<Record<string, object>> = { daps: { levels: 20, mcmcSteps: 5 } };

const imageShape = [6, 5, 3] as const;
const sigmaY = 0.1;
const context = testContainer();
const engine = await context.plugin('engine', { id: 'onnxruntime' });
const model = await mixturePrior({ imageShape, components: 20, variances: 0.04 });
const scheduler = await context.plugin('scheduler', { id: 'ddpm', options: { steps: 20 } });
const operators: Record<string, Operator> = {
  inpaint: await context.plugin('operator', { id: 'inpaint', options: { pattern: 'random', rate: 0.5 } }, { imageShape }),
  identity: await context.plugin('operator', { id: 'identity' }, { imageShape }),
};

/** The first operator that the method accepts; masks first, for they differ from problem to problem. */
async function setting(id: string): Promise<{ run: Run; problems: Problem[] }> {
  const guidance: Guidance = await context.plugin('guidance', { id, options: { ...quick[id] } });
  const operator = Object.values(operators).find((candidate) => guidance.refuses?.({ model, operator: candidate, scheduler }) === undefined);
  if (operator === undefined) throw new Error(`guidance/${id} refuses every operator of this test: add one that it accepts.`);
  return { run: await bind(guidance as never, { engine, model, operator, scheduler }), problems: randomProblems(operator, imageShape, 50, sigmaY) };
}

/** One step from the method's own start, all numbers of the new state of one row. */
async function oneStep({ bound: { sampler, steps } }: Run, problems: readonly Problem[], row: number, position: number): Promise<number[]> {
  const measured = stackProblems(problems);
  const random = batchRandom(problems.map(({ hash }) => ({ seed: 0, problem: hash, sample: 0 })));
  const noise = () => random(steps.length).normal('start', [problems.length, ...imageShape]);
  const state = sampler.start ? await sampler.start(measured, steps[0]!, random(steps.length)) : noise();
  const step = steps[position]!;
  const stepped = await sampler.step(state, step, measured, random(step.index));
  return tensorsOf(stepped.state).flatMap((leaf: Tensor) => {
    const values = leaf.dataSync();
    const each = values.length / problems.length;
    return Array.from(values.slice(row * each, (row + 1) * each));
  });
}

describe.each(methods)('guidance/%s', (id) => {
  it('a step with batch mates that have other images and other masks equals the step alone', async () => {
    const { run, problems } = await setting(id);
    for (const position of [0, 10, 19]) {
      const alone = await oneStep(run, problems.slice(3, 4), 0, position);
      const together = await oneStep(run, problems.slice(0, 7), 3, position);
      expect(relativeDifference(together, alone), `position ${position}`).toBeLessThan(1e-5);
    }
  });

  it('at one chunk size a sample has the same bits whatever its neighbours and its place', async () => {
    const { run, problems } = await setting(id);
    const mine = problems[0]!;
    const first = await sampleRows(run, [mine, ...problems.slice(1, 8)]);
    const last = await sampleRows(run, [...problems.slice(20, 27), mine]);
    const doubled = await sampleRows(run, [...problems.slice(30, 33), mine, mine, mine, ...problems.slice(40, 42)], [0, 0, 0, 5, 0, 6, 0, 0]);
    expect(last.rows[7]).toEqual(first.rows[0]);
    expect(doubled.rows[4]).toEqual(first.rows[0]);
    expect(doubled.rows[3]).not.toEqual(first.rows[0]);
  });

  it('fifty problems with their own masks are one compilation', async () => {
    const { run, problems } = await setting(id);
    await sampleRows(run, problems.slice(0, 5));
    const compilations = run.bound.compilations();
    for (let from = 5; from < 50; from += 5) await sampleRows(run, problems.slice(from, from + 5));
    expect(run.bound.compilations()).toBe(compilations);
  });
});

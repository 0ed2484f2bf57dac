/**
 * Operators with a full mask, on the dense matrices of the fixtures: all but the identity have a reference whose
 * gradient is not the misfit's.
 */
import { bindGuidance, eagerEngine, type Engine, sampleBatch, tf } from '@tweedie/core';
import { bind, randomProblems, relativeDifference, sampleRows, testContainer } from '@tweedie/testing';
import { methodWorld, storedRandom } from '@tweedie/testing/fixtures';
import { describe, expect, it } from 'vitest';

const world = methodWorld();
const container = testContainer();
const model = await world.model();
const compiling = await world.engine();
const scheduler = await container.plugin('scheduler', { id: 'ddpm', options: { steps: 50 } });

describe.each([
  ['bicubic', 2],
  ['box', 2],
  ['gray', 2],
  ['identity', 1],
] as const)('%s', (name, vjps) => {
  const parts = { model, operator: world.operator(name), scheduler };
  const { operator: _, ...problem } = world.problem(`${name}-0.05`);
  const bound = async (id: string, engine: Engine = compiling) =>
    bindGuidance(await container.plugin('guidance', { id }), { engine, ...parts });

  it.each([
    ['eager', eagerEngine()],
    ['compiled', compiling],
  ] as const)('%s, a step costs what it says', async (_, engine) => {
    const { sampler, steps, cost } = await bound('dps-w', engine);
    const { xt, noise, noise2 } = world.state('full1000-400');
    await sampler.step({ xt, cached: xt }, steps[20]!, problem, storedRandom(noise, noise2));
    expect(cost()).toEqual({ forwards: 2, vjps, operatorCalls: 2 });
    expect((await container.plugin('guidance', { id: 'dps-w' })).cost!(parts, steps, 0.05)).toEqual({
      forwards: 2 * steps.length,
      vjps: vjps * steps.length,
    });
  });

  it('a run fits y far better than samples of the prior do', async () => {
    const keys = Array.from({ length: 4 }, (_, sample) => ({ seed: 0, problem: name, sample }));
    const y = problem.y.tile([4, 1, 1, 1]);
    const misfit = async (id: string) => {
      const { x, failures } = await sampleBatch({
        bound: await bound(id),
        imageShape: world.imageShape,
        problem: { ...problem, y },
        keys,
      });
      expect(failures).toEqual(keys.map(() => undefined));
      return y.sub(parts.operator.forward(x, {})).square().mean().sqrt().dataSync()[0]!;
    };
    expect(await misfit('dps-w')).toBeLessThan((await misfit('none')) / 2);
  });

  it('the reference stays the same, so its score may be cached', async () => {
    expect(
      (await container.plugin('guidance', { id: 'dps-w', options: { cache: true } })).refuses!(parts, 0.1),
    ).toBeUndefined();
  });
});

describe.each([
  ['super-resolution', { factor: 2 }, 'ffhq/super-resolution-100'],
  ['super-resolution', { factor: 2, kernel: 'block' }, 'ffhq/super-resolution-100'],
  ['colorize', {}, 'ffhq/colorize'],
  ['blur', { size: 3 }, undefined],
] as const)('operator %s %j', (id, options, preset) => {
  it('a run fits y better than samples of the prior do, and each sample is by itself', async () => {
    const parts = {
      model,
      operator: await container.plugin('operator', { id, options }, { imageShape: world.imageShape }),
      scheduler,
      engine: compiling,
    };
    const problems = randomProblems(parts.operator, world.imageShape, 4, 0.05);
    const run = await bind(
      await container.plugin('guidance', { id: 'dps-w', options: preset === undefined ? {} : { preset } }),
      parts,
    );
    const misfits = (rows: readonly Float32Array[]) =>
      rows.map((row, i) => {
        const { y, drawn } = problems[i]!;
        return relativeDifference(
          parts.operator.forward(tf.tensor4d(row, [1, ...world.imageShape]), drawn).dataSync(),
          y.dataSync(),
        );
      });
    const { rows, failures } = await sampleRows(run, problems);
    expect(failures).toEqual(problems.map(() => undefined));
    const free = await sampleRows(await bind(await container.plugin('guidance', { id: 'none' }), parts), problems);
    const [guided, prior] = [misfits(rows), misfits(free.rows)];
    guided.forEach((value, i) => expect(value).toBeLessThan(prior[i]!));
    const alone = await sampleRows(run, problems.slice(2, 3));
    expect(relativeDifference(alone.rows[0]!, rows[2]!)).toBeLessThan(1e-4);
  });
});

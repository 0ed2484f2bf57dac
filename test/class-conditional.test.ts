/**
 * A class that is part of a problem reaches the network through every method, as its files stand: samples of a batch of
 * three classes are those that the option `label` of the model gives for each class alone.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  bindGuidance,
  disposeProblem,
  disposeTree,
  type Image,
  type LevelTensors,
  type Problem,
  rowsOf,
  sampleBatch,
  stackProblems,
  type Tensor,
  tf,
} from '@tweedie/core';
import { randomCheckpoint } from '@tweedie/networks';
import { relativeDifference, randomProblems, testContainer } from '@tweedie/testing';
import { afterAll, describe, expect, it } from 'vitest';

const { plugins } = JSON.parse(readFileSync(new URL('../registry.json', import.meta.url), 'utf8')) as {
  plugins: Record<string, string>;
};
/** The one needs a prior in closed form, which no network has, the other the samples of another program. */
const others = ['posterior', 'external'];
const methods = Object.keys(plugins).flatMap((name) => {
  const [, id] = /^guidance\/(.*)$/.exec(name) ?? [];
  return id === undefined || others.includes(id) ? [] : [id];
});
const scratch = mkdtempSync(join(tmpdir(), 'tweedie-classes-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const config = {
  image_size: 8,
  num_channels: 32,
  num_res_blocks: 1,
  channel_mult: '1',
  attention_resolutions: 'none',
  class_cond: true,
  num_classes: 5,
};
const weights = join(scratch, 'net.safetensors');
writeFileSync(weights, randomCheckpoint(config, 3));
const imageShape = [8, 8, 3] as const;
const labels = [4, 0, 2];
const container = testContainer();
const engine = await container.plugin('engine', { id: 'onnxruntime' });
const modelOf = async (options: object) => {
  const model = await container.plugin('model', { id: 'ddpm-vp', options: { weights, ...config, ...options } });
  await model.load?.();
  return model;
};
const [conditional, plain] = [await modelOf({}), await modelOf({ label: 0 })];

describe.each(methods)('guidance/%s', (id) => {
  it('is told the class of each problem, and counts what it did without', async () => {
    const guidance = await container.plugin('guidance', { id, ...(id === 'daps' ? { options: { levels: 4 } } : {}) });
    const scheduler = await container.plugin('scheduler', { id: 'ddpm', options: { steps: 4 } });
    const operator = await container.plugin('operator', { id: 'identity' }, { imageShape });
    expect(guidance.refuses?.({ model: conditional, operator, scheduler }, 0.3)).toBeUndefined();
    const problems = randomProblems(operator, imageShape, 3, 0.3);
    const draw = async (model: typeof plain, batch: readonly Problem[], first: number) => {
      const bound = await bindGuidance(guidance, { engine, model, operator, scheduler });
      const problem = stackProblems(batch);
      const keys = batch.map((_, row) => ({ seed: 0, problem: 'same', sample: first + row }));
      const { x, failures, cost } = await sampleBatch({ bound, imageShape, problem, keys });
      const rows = rowsOf(x);
      disposeTree([x, problem]);
      bound.dispose();
      return { rows, failures, cost };
    };
    const labelled = problems.map((problem, row) => ({ ...problem, label: labels[row]! }));
    const together = await draw(conditional, labelled, 0);
    expect(together.failures).toEqual([undefined, undefined, undefined]);
    for (const [row, label] of labels.entries()) {
      const model = await modelOf({ label });
      const alone = await draw(model, [problems[row]!], row);
      expect(relativeDifference(together.rows[row]!, alone.rows[0]!)).toBeLessThan(1e-4);
      expect(together.cost.forwards).toBe(3 * alone.cost.forwards);
      const other = await draw(await modelOf({ label: (label + 1) % 5 }), [problems[row]!], row);
      expect(relativeDifference(together.rows[row]!, other.rows[0]!)).toBeGreaterThan(1e-3);
    }
    // A class of the problem goes before that of the option; without one the option's stands.
    const given = await draw(plain, labelled, 0);
    given.rows.forEach((row, k) => expect(relativeDifference(row, together.rows[k]!)).toBeLessThan(1e-4));
    problems.forEach(disposeProblem);
  });
});

it.each([
  ['self-ensemble', {}],
  ['tiles', { tile: 4, overlap: 2 }],
])('through model/%s each image of a batch has its own class', async (id, options) => {
  const wrapped = await container.plugin('model', {
    id,
    options: { ...options, model: { id: 'ddpm-vp', options: { weights, ...config } } },
  });
  await wrapped.load?.();
  const step = engine.compile(
    (x: Image, level: LevelTensors, classes: Tensor) => wrapped.predict(x, level, classes).x0hat,
  );
  const x = tf.randomNormal([3, ...imageShape], 0, 1, 'float32', 5) as Image;
  const level = wrapped.process.levelAt(0.5);
  const together = rowsOf(await step(x, level, tf.tensor1d(labels, 'int32')));
  for (const [row, label] of labels.entries()) {
    const [alone] = rowsOf(await step(x.slice([row], [1]), level, tf.tensor1d([label], 'int32')));
    expect(relativeDifference(together[row]!, alone!)).toBeLessThan(1e-4);
  }
});

it('a model that needs a class says so where neither problem nor option has one', async () => {
  expect(conditional.classes).toEqual({ count: 5, needed: true });
  expect(plain.classes).toEqual({ count: 5, needed: false });
});

/**
 * Every method with every scheduler, on VP and VE models: enumerated from the registry, so that a new one is tested the
 * day it is registered.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Operator } from '@tweedie/core';
import { bind, mixturePrior, randomProblems, sampleRows, testContainer } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';

const { plugins } = JSON.parse(readFileSync(new URL('../registry.json', import.meta.url), 'utf8')) as {
  plugins: Record<string, string>;
};
const idsOf = (kind: string) =>
  Object.keys(plugins).flatMap((name) => (name.startsWith(`${kind}/`) ? [name.slice(kind.length + 1)] : []));
const program = fileURLToPath(new URL('../plugins/guidance-external/test/program.mjs', import.meta.url));
const optionsOf: Readonly<Record<string, object>> = {
  // DAPS visits 200 levels of its own, whatever the scheduler.
  ...(process.env['TWEEDIE_FULL'] !== '1' && { daps: { levels: 20 } }),
  external: { command: [process.execPath, program] },
};
const imageShape = [3, 2, 1] as const;
const container = testContainer();
const engine = await container.plugin('engine', { id: 'eager' });
const operators: readonly Operator[] = [
  await container.plugin('operator', { id: 'inpaint', options: { rate: 0.5 } }, { imageShape }),
  await container.plugin('operator', { id: 'identity' }, { imageShape }),
];

describe.each(['vp', 've'] as const)('on a %s model', async (kind) => {
  const model = await mixturePrior({ imageShape, components: 4, variances: 0.1, process: { kind } });

  describe.each(idsOf('scheduler'))('scheduler/%s', (schedulerId) => {
    it.each(idsOf('guidance'))('runs guidance/%s', async (id) => {
      const scheduler = await container.plugin('scheduler', { id: schedulerId, options: { steps: 8 } });
      const guidance = await container.plugin('guidance', { id, options: { ...optionsOf[id] } });
      const refusals = operators.map((operator) => guidance.refuses?.({ model, operator, scheduler }, 0.1));
      const operator = operators[refusals.indexOf(undefined)];
      // A method may refuse a scheduler, with a reason: those that live from a step's noise, a deterministic one.
      if (operator === undefined) return expect(refusals.join()).toMatch(/\w+ \w+/);
      const run = await bind(guidance, { engine, model, operator, scheduler });
      const { rows, failures } = await sampleRows(run, randomProblems(operator, imageShape, 2, 0.3));
      expect(failures).toEqual([undefined, undefined]);
      expect(Math.max(...rows.flatMap((row) => [...row].map(Math.abs)))).toBeLessThan(10);
    });
  });
});

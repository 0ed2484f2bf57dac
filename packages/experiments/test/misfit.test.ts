import {
  keyedRandom,
  stackProblems,
  makeProblem,
  openRegistry,
  createContainer,
  eagerEngine,
  stackImages,
} from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { createFiles } from '@tweedie/files';
import { misfitMeter } from '../src/run/misfit.ts';

describe('the misfit', () => {
  it('is the residual over what the noise of the entries that are measured has', async () => {
    const container = createContainer({ registry: openRegistry(), files: createFiles('.') });
    const imageShape = [8, 8, 3] as const;
    const operator = await container.plugin(
      'operator',
      { id: 'inpaint', options: { pattern: 'random', rate: 0.7 } },
      { imageShape },
    );
    const x0 = keyedRandom('misfit').normal('x0', 192);
    const problem = makeProblem({
      name: 'test',
      x0,
      imageShape,
      operator,
      operatorKey: 'inpaint',
      sigmaY: 0.1,
      seed: 0,
    });
    const measured = stackProblems([problem, problem]);
    const meter = misfitMeter(eagerEngine());
    const clean = stackImages([problem.x0, problem.x0]);
    const shift = stackImages([problem.x0, problem.x0.add(1)]);
    const [same, moved] = [
      await meter.measure(operator, clean, measured),
      await meter.measure(operator, shift, measured),
    ];
    // By hand: hidden entries of y are zero, seen ones are not.
    const y = problem.y.dataSync();
    const seen = Array.from(y, (_, i) => i).filter((i) => y[i] !== 0);
    const expected = (move: number): number =>
      Math.sqrt(seen.reduce((sum, i) => sum + ((y[i] ?? 0) - (x0[i] ?? 0) - move) ** 2, 0) / seen.length) / 0.1;
    expect(same[0]).toBeCloseTo(expected(0), 4);
    expect(moved[1]).toBeCloseTo(expected(1), 3);
    expect(moved[0]).toBe(same[0]);
    expect(same[0]).toBeGreaterThan(0.7);
    expect(same[0]).toBeLessThan(1.3);
    meter.dispose();
  });
});

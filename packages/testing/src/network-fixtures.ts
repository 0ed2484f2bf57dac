/** The fixture networks as priors: epsilon and variance of the reference program at integer and fractional timesteps. */
import { type Image, type Level, noiseProcess, type Tensor, tf, traced } from '@tweedie/core';
import { expect } from 'vitest';
import { testContainer } from './context.ts';
import { fixtureFolder, fixtureImage, fixtureReport, hasFixture, readFixtureJson, readFixtureTensors } from './fixtures.ts';
import type { Options } from './plugin-under-test.ts';

type Network = { readonly parameters: number; readonly config: Readonly<Record<string, unknown>>; readonly io: Readonly<Record<string, { readonly t: readonly number[] }>> };

/** The sigma whose position in the table, interpolated in ln sigma, is t. */
function sigmaAt(table: readonly Level[], t: number): number {
  const below = Math.floor(t);
  const low = table[below]?.sigma ?? NaN;
  const high = table[below + 1]?.sigma ?? low;
  return low * (high / low) ** (t - below);
}

const largest = (difference: Tensor): number => difference.abs().max().dataSync()[0] ?? NaN;

const readNetworks = () => readFixtureJson<{ models: Readonly<Record<string, Network>> }>('network', 'index.json').models;

/** Options of a model plugin for the smallest of the fixtures' networks whose weights are stored; relative to their folder. */
export function smallestNetwork(): Options[] {
  const stored = Object.entries(readNetworks()).filter(([name]) => hasFixture('network', `${name}.safetensors`));
  const [smallest] = stored.sort(([, a], [, b]) => a.parameters - b.parameters);
  return smallest ? [{ ...smallest[1].config, weights: `${smallest[0]}.safetensors` }] : [];
}

/** The tests of a model plugin that reads networks of guided diffusion; its options are the fixtures' configuration and `weights`. */
export function networkCases(id: string): void {
  const report = fixtureReport('network', id);
  const container = testContainer(fixtureFolder('network'));
  for (const [name, { config, io }] of Object.entries(readNetworks())) {
    if (!hasFixture('network', `${name}.safetensors`)) {
      report.missing('reader of .pt files', Object.keys(io).map((key) => `${name}/${key}`));
      continue;
    }
    for (const [key, { t }] of Object.entries(io)) {
      report.case(`${name}/${key}`, async () => {
        const model = await container.plugin('model', { id, options: { ...config, weights: `${name}.safetensors` } });
        await model.load?.();
        const stored = readFixtureTensors('network', `${name}.io.safetensors`);
        const images = (tensor: string): Image => {
          const entry = stored.get(tensor);
          if (entry === undefined) throw new Error(`${name}.io.safetensors has no tensor ${tensor}`);
          return fixtureImage(entry);
        };
        t.forEach((time, row) => {
          const level = model.process.levelAt(sigmaAt(noiseProcess().table, time));
          expect(level.t).toBeCloseTo(time, 9);
          const [x, output] = [images('x'), images(`out64_${key}`)].map((all) => tf.slice(all, [row, 0, 0, 0], [1, -1, -1, -1])) as [Image, Image];
          const [epsilon, v] = tf.split(output, 2, 3) as [Image, Image];
          // The stored x is a VP state.
          const xt = x.mul(level.signal / Math.sqrt(level.alphaBar));
          const predicted = model.predict(xt, traced(level));
          expect(largest(predicted.epsilon.sub(epsilon))).toBeLessThan(2e-4);
          expect(largest(predicted.varianceFraction?.mul(2).sub(1).sub(v) ?? tf.scalar(NaN))).toBeLessThan(2e-4);
          const x0hat = xt.sub(epsilon.mul(level.noise)).div(level.signal);
          expect(largest(predicted.x0hat.sub(x0hat)) / Math.max(1, level.sigma)).toBeLessThan(2e-4);
        });
        model.dispose?.();
      });
    }
  }
}

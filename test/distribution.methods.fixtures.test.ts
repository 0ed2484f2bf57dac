/**
 * Whole runs on the mixture of core.json: PSNR and residual norm have the distribution of the released programs' runs.
 */
import { drawFromMixture, keyedRandom, posteriorMixture, tf } from '@tweedie/core';
import { bind, relativeDifference, sampleRows } from '@tweedie/testing';
import { fixtureReport, methodWorld } from '@tweedie/testing/fixtures';
import { expect, it } from 'vitest';

type Moments = { mean: number; sd: number; n: number };
type Settings = { scale?: number; rate?: number; interval?: number; tau?: number; learningRate?: number };
type Sampler = { settings?: Settings; psnr: Moments; residualNorm: Moments };
type Index = { problem: string; samplers: Record<string, Sampler> };
const report = fixtureReport('methods', 'distribution');
const listed = report.index<Index>('distribution-mixture.json', { problem: '', samplers: {} });

const ancestral = { id: 'ddpm', options: { steps: 100, variance: 'learned-range' } };
const dapsRun = (variant: string, { tau, learningRate }: Settings) => ({
  guidance: { id: 'daps', options: { variant, tau, lr: learningRate } },
  scheduler: ancestral,
  runs: 25,
  clip: false,
});

/** What a sampler is called here, and whatever else begins like it. Fewer runs where a run is long. */
const samplers: Readonly<Record<string, (settings: Settings) => Wanted>> = {
  dps: ({ scale = 0.5 }) => ({ guidance: { id: 'dps', options: { scale } }, scheduler: ancestral }),
  'dps-scale1': ({ scale = 1 }) => ({ guidance: { id: 'dps', options: { scale } }, scheduler: ancestral }),
  dsg: ({ rate, interval }) => ({
    guidance: { id: 'dsg', options: { rate, interval } },
    scheduler: { id: 'ddim', options: { steps: 100, eta: 1 } },
  }),
  'daps-main': (settings) => dapsRun('main', settings),
  'daps-legacy': (settings) => dapsRun('legacy', settings),
};
type World = ReturnType<typeof methodWorld>;
type Named = { readonly id: string; readonly options: Record<string, unknown> };
type Wanted = { readonly guidance: Named; readonly scheduler: Named; readonly runs?: number; readonly clip?: boolean };

async function methodRuns(
  world: World,
  { guidance: { id, options }, scheduler, runs = 400, clip = true }: Wanted,
): Promise<Float32Array[]> {
  const { operator, ...measured } = world.problem(listed.problem);
  const guidance = await world.context.plugin('guidance', { id, options });
  const run = await bind(guidance, {
    engine: await world.engine(),
    model: await world.model({ clip }),
    operator: world.operator(operator),
    scheduler: await world.scheduler(scheduler.id, scheduler.options),
  });
  const problem = {
    hash: JSON.stringify([id, options]),
    name: 'mixture',
    operator,
    sigmaY: measured.sigmaY,
    x0: world.xStar(),
    y: measured.y.squeeze([0]),
    drawn: {},
  };
  return (
    await sampleRows(
      run,
      new Array<typeof problem>(runs).fill(problem),
      Array.from({ length: runs }, (_, sample) => sample),
    )
  ).rows;
}

/** Independent draws of the posterior in closed form. */
async function posteriorDraws(world: World): Promise<Float32Array[]> {
  const { operator, y, sigmaY } = world.problem(listed.problem);
  const mixture = (await world.model()).mixture!();
  const mask = maskOf(world, operator);
  const matrix = new Float64Array(mask.length ** 2);
  mask.forEach((value, i) => (matrix[i * mask.length + i] = value));
  const posterior = posteriorMixture(mixture, matrix, Float64Array.from(y.dataSync()), sigmaY);
  return Array.from({ length: 400 }, (_, draw) => drawFromMixture(posterior, keyedRandom(`draw ${draw}`)).x0);
}

const maskOf = (world: World, operator: string) =>
  world
    .operator(operator)
    .forward(tf.ones([1, ...world.imageShape]), {})
    .dataSync() as Float32Array;

for (const [name, stored] of Object.entries(listed.samplers)) {
  const known = samplers[name] ?? Object.entries(samplers).find(([start]) => name.startsWith(`${start}-`))?.[1];
  const wanted = known?.(stored.settings ?? {});
  if (wanted === undefined && name !== 'exact-posterior') {
    report.awaits(`guidance/${name.split('-')[0]}`, [name]);
    continue;
  }
  report.case(name, async () => {
    const world = methodWorld();
    const rows = wanted ? await methodRuns(world, wanted) : await posteriorDraws(world);
    const runs = rows.length;
    const truth = world.xStar().dataSync();
    const { operator, y: measurement } = world.problem(listed.problem);
    const y = measurement.dataSync();
    const mask = maskOf(world, operator);
    const unit = (value: number) => Math.min(1, Math.max(0, value / 2 + 0.5));
    const scores = {
      psnr: rows.map(
        (row) =>
          -10 *
          Math.log10(row.reduce((sum, value, i) => sum + (unit(value) - unit(truth[i]!)) ** 2, 0) / row.length + 1e-8),
      ),
      residualNorm: rows.map((row) =>
        Math.sqrt(row.reduce((sum, value, i) => sum + (mask[i]! * (y[i]! - value)) ** 2, 0)),
      ),
    };
    for (const score of ['psnr', 'residualNorm'] as const) {
      const { mean, sd, n } = stored[score];
      const own = scores[score].reduce((sum, value) => sum + value, 0) / runs;
      const ownSd = Math.sqrt(scores[score].reduce((sum, value) => sum + (value - own) ** 2, 0) / (runs - 1));
      expect
        .soft(Math.abs(own - mean), `${score} ${own}, stored ${mean}`)
        .toBeLessThan(4 * Math.sqrt(sd ** 2 / n + ownSd ** 2 / runs));
      const scatter = Math.max(Math.log(1.25), 4 * Math.sqrt(1 / (2 * n) + 1 / (2 * runs)));
      expect.soft(Math.abs(Math.log(ownSd / sd)), `sd of ${score}, ratio ${ownSd / sd}`).toBeLessThan(scatter);
    }
  });
}

it('two methods are told apart at this tolerance', () => {
  const { dps, 'dps-scale1': stronger } = listed.samplers;
  if (dps === undefined || stronger === undefined) return report.notListed('dps and dps-scale1');
  expect(relativeDifference([dps.residualNorm.mean], [stronger.residualNorm.mean])).toBeGreaterThan(0.1);
});

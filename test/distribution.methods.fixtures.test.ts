/** Whole runs on the mixture of core.json: PSNR and residual norm have the distribution of the released programs' runs. */
import { drawFromMixture, type Guidance, keyedRandom, posteriorMixture, tf } from '@tweedie/core';
import { bind, fixtureReport, hasFixture, methodWorld, readFixtureJson, relativeDifference, sampleRows } from '@tweedie/testing';
import { expect, it } from 'vitest';

type Moments = { mean: number; sd: number; n: number };
type Sampler = { settings?: { scale?: number }; psnr: Moments; residualNorm: Moments };
const file = 'distribution-mixture.json';
const listed = hasFixture('methods', file) ? readFixtureJson<{ problem: string; samplers: Record<string, Sampler> }>('methods', file) : { problem: '', samplers: {} };
const report = fixtureReport('methods', 'distribution');

const runs = 400;
type World = ReturnType<typeof methodWorld>;

async function dpsRuns(world: World, scale: number): Promise<Float32Array[]> {
  const { operator, ...measured } = world.problem(listed.problem);
  const guidance: Guidance = await world.context.plugin('guidance', { id: 'dps', options: { scale } });
  const run = await bind(guidance as never, {
    engine: await world.engine(),
    model: await world.model(),
    operator: world.operator(operator),
    scheduler: await world.scheduler('ddpm', { steps: 100, variance: 'learned-range' }),
  });
  const problem = { hash: `dps ${scale}`, name: 'mixture', operator, sigmaY: measured.sigmaY, x0: world.xStar(), y: measured.y.squeeze([0]), drawn: {} };
  return (await sampleRows(run, new Array<typeof problem>(runs).fill(problem), Array.from({ length: runs }, (_, sample) => sample))).rows;
}

/** Independent draws of the posterior in closed form. */
async function posteriorDraws(world: World): Promise<Float32Array[]> {
  const { operator, y, sigmaY } = world.problem(listed.problem);
  const mixture = (await world.model()).mixture!();
  const mask = maskOf(world, operator);
  const matrix = new Float64Array(mask.length ** 2);
  mask.forEach((value, i) => (matrix[i * mask.length + i] = value));
  const posterior = posteriorMixture(mixture, matrix, Float64Array.from(y.dataSync()), sigmaY);
  return Array.from({ length: runs }, (_, draw) => drawFromMixture(posterior, keyedRandom(`draw ${draw}`)).x0);
}

const maskOf = (world: World, operator: string) => world.operator(operator).forward(tf.ones([1, ...world.imageShape]), {}).dataSync() as Float32Array;

for (const [name, stored] of Object.entries(listed.samplers)) {
  const runsOf = name.startsWith('dps') ? (world: World) => dpsRuns(world, stored.settings?.scale ?? 0.5) : name === 'exact-posterior' ? posteriorDraws : undefined;
  if (runsOf === undefined) {
    report.awaits(`guidance/${name.split('-')[0]}`, [name]);
    continue;
  }
  report.case(name, async () => {
    const world = methodWorld();
    const rows = await runsOf(world);
    const truth = world.xStar().dataSync();
    const { operator, y: measurement } = world.problem(listed.problem);
    const y = measurement.dataSync();
    const mask = maskOf(world, operator);
    const unit = (value: number) => Math.min(1, Math.max(0, value / 2 + 0.5));
    const scores = {
      psnr: rows.map((row) => -10 * Math.log10(row.reduce((sum, value, i) => sum + (unit(value) - unit(truth[i]!)) ** 2, 0) / row.length + 1e-8)),
      residualNorm: rows.map((row) => Math.sqrt(row.reduce((sum, value, i) => sum + (mask[i]! * (y[i]! - value)) ** 2, 0))),
    };
    for (const score of ['psnr', 'residualNorm'] as const) {
      const { mean, sd, n } = stored[score];
      const own = scores[score].reduce((sum, value) => sum + value, 0) / runs;
      const ownSd = Math.sqrt(scores[score].reduce((sum, value) => sum + (value - own) ** 2, 0) / (runs - 1));
      expect.soft(Math.abs(own - mean), `${score} ${own}, stored ${mean}`).toBeLessThan(4 * Math.sqrt(sd ** 2 / n + ownSd ** 2 / runs));
      expect.soft(ownSd / sd, `sd of ${score}`).toBeGreaterThan(0.8);
      expect.soft(ownSd / sd, `sd of ${score}`).toBeLessThan(1.25);
    }
  });
}

it('two methods are told apart at this tolerance', () => {
  const { dps, 'dps-scale1': stronger } = listed.samplers;
  if (dps === undefined || stronger === undefined) return;
  expect(relativeDifference([dps.residualNorm.mean], [stronger.residualNorm.mean])).toBeGreaterThan(0.1);
});

import {
  alphaBarsOf,
  cosineBetas,
  linearBetas,
  noiseProcess,
  type NoiseProcess,
  respacedLevels,
  reverseCoefficients,
  spaceTimesteps,
  type LevelPair,
  vpProcess,
} from '@tweedie/core';
import { fixtureReport } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';

/** Coefficients at some indices of a (respaced) process, by field; `index` says which. */
type Selected = { index: number[] } & Record<string, number[]>;
type Table = { betas?: number[]; alphas_cumprod?: number[]; selected?: Selected };
type Respaced = Table & { timestep_map?: number[] };
type Sections = { original_steps: number; spec: string; timesteps: number[] };
type SigmaToT = {
  sigma: number[];
  nearest_index?: number[];
  log_interpolated_t?: number[];
  continuous_999u?: number[];
};

const report = fixtureReport('schedules', 'levels');
const listed = report.index<Record<string, unknown>>('schedules.json', {});

/** 1e-12 absolute or 1e-9 relative. */
function agrees(got: ArrayLike<number>, expected: readonly number[]): void {
  expect(got.length).toBe(expected.length);
  const worst = expected.map((value, i) => Math.abs(got[i]! - value) / Math.max(1e-12, 1e-9 * Math.abs(value)));
  expect(Math.max(...worst)).toBeLessThanOrEqual(1);
}

/**
 * What this repository has for each field of the fixtures. The bounds of the learned-range variance are
 * scheduler/ddpm's.
 */
const fields: Readonly<Record<string, (pair: LevelPair) => number>> = {
  betas: ({ level, next }) => reverseCoefficients(level, next).beta,
  alphas_cumprod: ({ level }) => level.alphaBar,
  alphas_cumprod_prev: ({ next }) => next.alphaBar,
  sqrt_recip_alphas_cumprod: ({ level }) => 1 / level.signal,
  sqrt_recipm1_alphas_cumprod: ({ level }) => level.noise / level.signal,
  sigma: ({ level }) => level.sigma,
  posterior_variance: ({ level, next }) => reverseCoefficients(level, next).variance,
  posterior_mean_coef1: ({ level, next }) => reverseCoefficients(level, next).x0Weight,
  posterior_mean_coef2: ({ level, next }) => reverseCoefficients(level, next).xtWeight,
};
const ofScheduler = ['log_betas', 'posterior_log_variance_clipped'];

function selectedCases(name: string, pairs: () => readonly LevelPair[], { index, ...expected }: Selected): void {
  for (const [field, values] of Object.entries(expected)) {
    if (ofScheduler.includes(field)) continue;
    report.case(`${name}/selected/${field}`, () => {
      const value = fields[field];
      expect(value, `unknown field ${field}`).toBeDefined();
      const ascending = pairs().toReversed();
      agrees(
        index.map((i) => value!(ascending[i]!)),
        values,
      );
    });
  }
}

/** A table that its name describes (`linear1000`), or whatever betas there are: then they are what it is made from. */
function tableCases(name: string, expected: Table): void {
  const [, schedule, digits, scaled] = /^(linear|cosine)(\d+)(_scaled)?$/.exec(name) ?? [];
  const { betas, alphas_cumprod: alphaBars, selected } = expected;
  const trainingSteps = schedule === undefined ? (betas?.length ?? 0) : Number(digits);
  let process: (() => NoiseProcess) | undefined;
  if (schedule !== undefined)
    process = () => noiseProcess({ schedule: schedule as 'linear' | 'cosine', trainingSteps });
  else if (betas !== undefined) process = () => vpProcess(Float64Array.from(betas));
  if (betas === undefined || schedule === undefined) report.notListed(`${name}: betas of a known table`);
  else
    report.case(`${name}/betas`, () =>
      agrees(schedule === 'cosine' ? cosineBetas(trainingSteps) : linearBetas(trainingSteps), betas),
    );
  if (scaled !== undefined || process === undefined) return;
  if (alphaBars)
    report.case(`${name}/alphas_cumprod`, () => {
      agrees(
        process().table.map(({ alphaBar }) => alphaBar),
        alphaBars,
      );
      if (betas !== undefined) agrees(alphaBarsOf(betas), alphaBars);
    });
  if (selected) selectedCases(name, () => respacedLevels(process(), trainingSteps), selected);
}

function respacedCases(name: string, schedule: 'linear' | 'cosine', group: Record<string, Respaced>): void {
  for (const [key, { timestep_map: timesteps, betas, alphas_cumprod: alphaBars, selected }] of Object.entries(group)) {
    const spacing = /^\d+$/.test(key) ? Number(key) : key;
    const pairs = () => respacedLevels(noiseProcess({ schedule }), spacing);
    const ascending = () => pairs().toReversed();
    if (timesteps)
      report.case(`${name}/${key}/timestep_map`, () => {
        expect(spaceTimesteps(1000, spacing)).toEqual(timesteps);
        expect(ascending().map(({ level }) => level.t)).toEqual(timesteps);
        expect(ascending().map(({ index }) => index)).toEqual(timesteps.map((_, i) => i));
      });
    if (betas) report.case(`${name}/${key}/betas`, () => agrees(ascending().map(fields['betas']!), betas));
    if (alphaBars)
      report.case(`${name}/${key}/alphas_cumprod`, () => agrees(ascending().map(fields['alphas_cumprod']!), alphaBars));
    if (selected) selectedCases(`${name}/${key}`, pairs, selected);
    const parts = { timestep_map: timesteps, betas, alphas_cumprod: alphaBars, selected };
    for (const [part, values] of Object.entries(parts))
      if (values === undefined) report.notListed(`${name}/${key}/${part}`);
  }
}

for (const [name, content] of Object.entries(listed)) {
  switch (name) {
    case 'respaced':
      respacedCases(name, 'linear', content as Record<string, Respaced>);
      break;
    case 'cosine_respaced':
      respacedCases(name, 'cosine', content as Record<string, Respaced>);
      break;
    case 'sections':
      for (const { original_steps, spec, timesteps } of content as Sections[]) {
        report.case(`sections/${original_steps}/${spec}`, () =>
          expect(spaceTimesteps(original_steps, spec)).toEqual(timesteps),
        );
      }
      break;
    case 'impossible':
      for (const { original_steps, spec } of content as Omit<Sections, 'timesteps'>[]) {
        report.case(`impossible/${original_steps}/${spec}`, () =>
          expect(() => spaceTimesteps(original_steps, spec)).toThrow(/^\[schedule\] .*Give/),
        );
      }
      break;
    case 'sigma_to_t': {
      const { sigma, log_interpolated_t: expected, ...others } = content as SigmaToT;
      const process = noiseProcess();
      if (expected)
        report.case('sigma_to_t/log_interpolated_t', () =>
          agrees(
            sigma.map((each) => process.levelAt(each).t),
            expected,
          ),
        );
      // Other maps from noise level to timestep: the nearest index is DiffPIR's; the continuous one of released DAPS is
      // half an index off (docs/methods.md 1.6).
      if (others.nearest_index) report.awaits('guidance/diffpir', ['sigma_to_t/nearest_index']);
      if (others.continuous_999u)
        report.missing('continuous map of levels to timesteps', ['sigma_to_t/continuous_999u']);
      break;
    }
    default: {
      const table: Table = typeof content === 'object' && content !== null ? content : {};
      // Anything else that a file may say, a title or a tolerance, is no table.
      if (table.betas ?? table.alphas_cumprod ?? table.selected) tableCases(name, table);
    }
  }
}

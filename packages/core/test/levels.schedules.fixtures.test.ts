import {
  alphaBarsOf,
  cosineBetas,
  linearBetas,
  noiseProcess,
  respacedLevels,
  reverseCoefficients,
  spaceTimesteps,
  type LevelPair,
} from '@tweedie/core';
import { fixtureReport, readFixtureJson } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';

/** Coefficients at some indices of a (respaced) process, by field; `index` says which. */
type Selected = { index: number[] } & Record<string, number[]>;
type Table = { betas: number[]; alphas_cumprod?: number[]; selected?: Selected };
type Respaced = Required<Table> & { timestep_map: number[] };
type Sections = { original_steps: number; spec: string; timesteps: number[] };
type SigmaToT = {
  sigma: number[];
  nearest_index?: number[];
  log_interpolated_t?: number[];
  continuous_999u?: number[];
};

const { description: _, ...listed } = readFixtureJson<Record<string, unknown>>('schedules', 'schedules.json');
const report = fixtureReport('schedules', 'levels');

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

function tableCases(name: string, expected: Table): void {
  const [, schedule, digits, scaled] = /^(linear|cosine)(\d+)(_scaled)?$/.exec(name) ?? [];
  const trainingSteps = Number(digits);
  const process = () => noiseProcess({ schedule: schedule as 'linear' | 'cosine', trainingSteps });
  report.case(`${name}/betas`, () => {
    expect(schedule, `unknown table ${name}`).toBeDefined();
    agrees(schedule === 'cosine' ? cosineBetas(trainingSteps) : linearBetas(trainingSteps), expected.betas);
  });
  if (scaled !== undefined) return;
  if (expected.alphas_cumprod)
    report.case(`${name}/alphas_cumprod`, () => {
      agrees(
        process().table.map(({ alphaBar }) => alphaBar),
        expected.alphas_cumprod!,
      );
      agrees(alphaBarsOf(expected.betas), expected.alphas_cumprod!);
    });
  if (expected.selected) selectedCases(name, () => respacedLevels(process(), trainingSteps), expected.selected);
}

function respacedCases(name: string, schedule: 'linear' | 'cosine', group: Record<string, Respaced>): void {
  for (const [key, expected] of Object.entries(group)) {
    const spacing = /^\d+$/.test(key) ? Number(key) : key;
    const pairs = () => respacedLevels(noiseProcess({ schedule }), spacing);
    const ascending = () => pairs().toReversed();
    report.case(`${name}/${key}/timestep_map`, () => {
      expect(spaceTimesteps(1000, spacing)).toEqual(expected.timestep_map);
      expect(ascending().map(({ level }) => level.t)).toEqual(expected.timestep_map);
      expect(ascending().map(({ index }) => index)).toEqual(expected.timestep_map.map((_, i) => i));
    });
    report.case(`${name}/${key}/betas`, () => agrees(ascending().map(fields['betas']!), expected.betas));
    report.case(`${name}/${key}/alphas_cumprod`, () =>
      agrees(ascending().map(fields['alphas_cumprod']!), expected.alphas_cumprod),
    );
    selectedCases(`${name}/${key}`, pairs, expected.selected);
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
    default:
      tableCases(name, content as Table);
  }
}

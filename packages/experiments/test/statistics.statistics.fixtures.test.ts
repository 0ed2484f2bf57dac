import { describe, expect } from 'vitest';
import { keyedRandom } from '@tweedie/core';
import { fixtureReport } from '@tweedie/testing/fixtures';
import { kolmogorovSmirnov } from '../src/statistics/kolmogorov.ts';
import {
  bonferroni,
  bootstrapInterval,
  cohensD,
  holm,
  mean,
  mseRatio,
  pairedDifference,
  pairedTTest,
  pearson,
  resampledInterval,
  signTest,
  summarise,
  tInterval,
  wins,
  type Summary,
} from '../src/statistics/statistics.ts';
import { wilcoxon } from '../src/statistics/wilcoxon.ts';

type StoredSummary = {
  n: number;
  mean: number;
  std: number;
  standard_error: number;
  half_width_95: number;
  ci95: [number, number];
  t_ci95: [number, number];
};
type Paired = {
  name: string;
  a: number[];
  b: number[];
  a_summary: StoredSummary;
  b_summary: StoredSummary;
  difference: StoredSummary;
  paired_t: { t: number; df: number; p: number };
  wilcoxon: {
    statistic: number;
    p_default: number;
    n_nonzero: number;
    rank_sum_plus: number;
    rank_sum_minus: number;
    ties: boolean;
    zeros: number;
    p_asymptotic: number;
    p_asymptotic_continuity_corrected: number;
    p_exact: number | null;
    default_is: string;
  };
  wins: { a_greater: number; equal: number; b_greater: number };
  pearson: { r: number; p: number };
  cohens_d: number;
  sign_test_p: number;
  bootstrap_percentile95_mean_difference: { bounds: [number, number]; tolerance_with_10000_resamples: number };
  bootstrap_given_resamples?: { indices: number[][]; bounds: [number, number] };
};
type NormalTest = {
  name: string;
  loc: number;
  scale: number;
  statistic: number;
  p_exact: number;
  p_asymptotic: number;
  p_series_sqrt_n: number;
  p_series_stephens: number;
  x: number[];
};
type Ratio = {
  name: string;
  problems: number;
  samples: number;
  dim: number;
  mse_per_problem: number[];
  mmse_per_problem: number[];
  ratio_of_sums: number;
};

const near = (actual: number | undefined, expected: number, relative: number): void => {
  expect(actual).toBeDefined();
  expect(Math.abs((actual ?? NaN) - expected), `${actual} for ${expected}`).toBeLessThanOrEqual(
    relative * Math.abs(expected) + 1e-300,
  );
};
const VALUE = 1e-9;
const P = 1e-6;

const report = fixtureReport('statistics', 'statistics');
const eachCase = <T extends { readonly name: string }>(
  file: string,
  cases: readonly T[],
  run: (item: T) => void,
): void => {
  for (const item of cases) report.case(`${file} ${item.name}`, () => run(item));
};

const matchesSummary = (actual: Summary, values: number[], stored: StoredSummary): void => {
  expect(actual.n).toBe(stored.n);
  near(actual.mean, stored.mean, VALUE);
  near(actual.std, stored.std, VALUE);
  near(actual.standardError, stored.standard_error, VALUE);
  near(actual.halfWidth95, stored.half_width_95, VALUE);
  actual.ci95.forEach((bound, i) => near(bound, stored.ci95[i] ?? NaN, VALUE));
  tInterval(values).forEach((bound, i) => near(bound, stored.t_ci95[i] ?? NaN, VALUE));
};

describe('paired scores', () => {
  eachCase(
    'statistics',
    report.index<{ paired: Paired[] }>('statistics.json', { paired: [] }).paired,
    ({ a, b, ...stored }) => {
      const d = a.map((value, i) => value - (b[i] ?? NaN));
      matchesSummary(summarise(a), a, stored.a_summary);
      matchesSummary(summarise(b), b, stored.b_summary);
      matchesSummary(pairedDifference(a, b), d, stored.difference);

      const t = pairedTTest(a, b);
      near(t.t, stored.paired_t.t, VALUE);
      expect(t.df).toBe(stored.paired_t.df);
      near(t.p, stored.paired_t.p, P);

      const w = wilcoxon(a, b);
      expect({
        statistic: w.statistic,
        plus: w.rankSumPlus,
        minus: w.rankSumMinus,
        n: w.nonzero,
        zeros: w.zeros,
        ties: w.ties,
        form: w.form,
      }).toEqual({
        statistic: stored.wilcoxon.statistic,
        plus: stored.wilcoxon.rank_sum_plus,
        minus: stored.wilcoxon.rank_sum_minus,
        n: stored.wilcoxon.n_nonzero,
        zeros: stored.wilcoxon.zeros,
        ties: stored.wilcoxon.ties,
        form: stored.wilcoxon.default_is,
      });
      near(w.p, stored.wilcoxon.p_default, P);
      near(w.pAsymptotic, stored.wilcoxon.p_asymptotic, P);
      near(w.pAsymptoticCorrected, stored.wilcoxon.p_asymptotic_continuity_corrected, P);
      if (stored.wilcoxon.p_exact !== null) near(w.pExact, stored.wilcoxon.p_exact, P);

      near(signTest(a, b), stored.sign_test_p, P);
      expect(wins(a, b)).toEqual({
        aGreater: stored.wins.a_greater,
        equal: stored.wins.equal,
        bGreater: stored.wins.b_greater,
      });
      const { r, p } = pearson(a, b);
      near(r, stored.pearson.r, VALUE);
      near(p, stored.pearson.p, P);
      near(cohensD(a, b), stored.cohens_d, VALUE);

      const { bounds, tolerance_with_10000_resamples: tolerance } = stored.bootstrap_percentile95_mean_difference;
      bootstrapInterval(d, keyedRandom(stored.name)).forEach((bound, i) => {
        expect(Math.abs(bound - (bounds[i] ?? NaN))).toBeLessThanOrEqual(tolerance);
      });
      const given = stored.bootstrap_given_resamples;
      if (given) resampledInterval(d, given.indices).forEach((bound, i) => near(bound, given.bounds[i] ?? NaN, VALUE));
    },
  );
});

describe('many tests at once', () => {
  type Sets = { sets: { p: number[]; holm: number[]; bonferroni: number[] }[] };
  const { sets } = report.index<Sets>('multiple-tests.json', { sets: [] });
  eachCase(
    'multiple-tests',
    sets.map((set, i) => ({ name: `set ${i}`, ...set })),
    (set) => {
      holm(set.p).forEach((value, i) => near(value, set.holm[i] ?? NaN, 1e-12));
      bonferroni(set.p).forEach((value, i) => near(value, set.bonferroni[i] ?? NaN, 1e-12));
      expect([holm(set.p).length, bonferroni(set.p).length]).toEqual([set.p.length, set.p.length]);
    },
  );
});

describe('Kolmogorov-Smirnov', () => {
  eachCase('normality', report.index<{ tests: NormalTest[] }>('normality.json', { tests: [] }).tests, (stored) => {
    const test = kolmogorovSmirnov(stored.x, stored.loc, stored.scale);
    near(test.statistic, stored.statistic, VALUE);
    near(test.pExact, stored.p_exact, P);
    near(test.pAsymptotic, stored.p_asymptotic, VALUE);
    near(test.pAsymptotic, stored.p_series_sqrt_n, VALUE);
    near(test.pStephens, stored.p_series_stephens, VALUE);
  });
});

describe('MSE over MMSE', () => {
  const { cases } = report.index<{ cases: Ratio[] }>('mse-mmse.json', { cases: [] });
  const arrays = report.tensors(cases.length > 0 ? 'samples.safetensors' : '');
  const floats = (name: string): number[] => Array.from(arrays.get(name)?.data ?? [], Number);
  eachCase('mse-mmse', cases, (stored) => {
    const { problems, samples: drawn, dim } = stored;
    const k = drawn - 1;
    const truth = floats(`${stored.name}.truth`);
    const samples = floats(`${stored.name}.samples`);
    const error = (problem: number, value: (i: number) => number): number =>
      Array.from({ length: dim }, (_, i) => (value(i) - (truth[problem * dim + i] ?? NaN)) ** 2).reduce(
        (sum, x) => sum + x,
        0,
      ) / dim;
    const sample = (problem: number, s: number, i: number): number => samples[(problem * (k + 1) + s) * dim + i] ?? NaN;
    const each = Array.from({ length: problems }, (_, p) => ({
      mse: error(p, (i) => sample(p, 0, i)),
      mmse: error(p, (i) => mean(Array.from({ length: k }, (__, s) => sample(p, s + 1, i)))),
    }));
    each.forEach(({ mse, mmse }, p) => {
      near(mse, stored.mse_per_problem[p] ?? NaN, VALUE);
      near(mmse, stored.mmse_per_problem[p] ?? NaN, VALUE);
    });
    near(
      mseRatio(
        each.map(({ mse }) => mse),
        each.map(({ mmse }) => mmse),
      ),
      stored.ratio_of_sums,
      VALUE,
    );
  });
});

for (const subject of ['sliced-wasserstein', 'coverage']) {
  const { cases } = report.index<{ cases: { name: string }[] }>(`${subject}.json`, { cases: [] });
  report.awaits(
    `metric/${subject}`,
    cases.map(({ name }) => `${subject} ${name}`),
  );
}

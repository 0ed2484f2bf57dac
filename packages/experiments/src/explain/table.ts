import { problemsOf } from '../results/problems.ts';
import { rounded } from '../results/numbers.ts';
import type { ExplanationJson } from './explanation.ts';
import type { ExplainedRow } from './row.ts';
import type { MeasureName } from './vectors.ts';
import { plural, textTable } from '../machine/text-table.ts';

/** Steps shown of each method. */
const SHOWN = 8;

const columns: readonly (readonly [title: string, measure: MeasureName])[] = [
  ['|prior|', 'priorNorm'],
  ['|guidance|', 'guidanceNorm'],
  ['|exact|', 'likelihoodNorm'],
  ['cos', 'cosine'],
  ['rel. error', 'relativeError'],
  ['w fitted', 'fittedWeight'],
  ['w used', 'effectiveWeight'],
  ['cos cond.', 'cosineConditional'],
  ['cos prior', 'cosineUnconditional'],
  ['mean', 'meanScore'],
];

const show = (value: number | null | undefined): string =>
  value === null || value === undefined ? '-' : rounded(value).toString();

/** Evenly spaced positions, the first and the last among them. */
const positions = (steps: number): readonly number[] => [
  ...new Set(
    Array.from({ length: Math.min(SHOWN, steps) }, (_, i) =>
      Math.round((i * (steps - 1)) / Math.max(1, Math.min(SHOWN, steps) - 1)),
    ),
  ),
];

const block = ({ label, sigma, measures, diversity, absent, reading, failed, samples }: ExplainedRow): string => {
  const shown = columns.filter(([, name]) => measures[name]?.some((value) => value !== null));
  return [
    `  ${label}`,
    '',
    textTable(
      ['sigma', ...shown.map(([title]) => title)],
      positions(sigma.length).map((at) => [show(sigma[at]), ...shown.map(([, name]) => show(measures[name]?.[at]))]),
      '    ',
    ),
    ...(reading.from === 'x0hat' ? [`    guidance is what its x0hat says: ${reading.because}`] : []),
    ...(diversity
      ? [`    diversity: trace of the sample covariance is ${show(diversity.ratio)} of the posterior's`]
      : []),
    ...Object.entries(absent).map(([what, reason]) => `    no ${what}: ${reason}`),
    ...(failed > 0 ? [`    ${failed} of ${samples} samples failed and are left out`] : []),
    '',
  ].join('\n');
};

/** The explanation for a terminal: a block per method, eight of its steps in each. */
export const explanationTable = ({ title, images, samples, rows, skipped }: ExplanationJson): string =>
  [
    `${title}: ${plural(images.length, 'image')}, ${plural(samples, 'sample')} each`,
    '',
    ...problemsOf(rows).flatMap(({ operator, sigmaY, rows: table }) => [
      `${operator}, sigmaY ${sigmaY}`,
      '',
      ...table.map(block),
    ]),
    ...skipped.map(
      ({ operator, sigmaY, label, reason }) => `${operator}, sigmaY ${sigmaY}, ${label}: skipped, ${reason}`,
    ),
    'Means over samples and images. |prior|, |guidance|, |exact|: norms of the prior score, of what the method adds, and of the exact likelihood score.',
    'cos, rel. error: guidance against exact. w: multiple of -grad || y - A(x0hat) ||^2 nearest to the exact likelihood score (fitted) and to the guidance (used).',
    `cos cond., cos prior: guided score against the exact conditional and the prior's. mean: norm of its mean over samples, over its root mean square; ${show(1 / Math.sqrt(samples))} if it is 0.`,
  ].join('\n');

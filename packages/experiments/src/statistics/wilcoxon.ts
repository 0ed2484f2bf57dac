import { erfc } from './special.ts';
import { differences } from './statistics.ts';

export type Wilcoxon = {
  /** The smaller rank sum. */
  readonly statistic: number;
  readonly rankSumPlus: number;
  readonly rankSumMinus: number;
  readonly nonzero: number;
  readonly zeros: number;
  readonly ties: boolean;
  /** Two-sided p, by the form that `form` names. */
  readonly p: number;
  readonly form: 'exact' | 'all sign patterns' | 'asymptotic';
  /** Normal approximation with tie correction, without and with continuity correction. */
  readonly pAsymptotic: number;
  readonly pAsymptoticCorrected: number;
  /**
   * Two-sided p over all sign patterns of the ranks at hand, exact where there are no ties; absent above 500
   * differences.
   */
  readonly pExact?: number;
};

/**
 * Differences up to which p is exact where there are no ties or zeros; with them up to the next number, as the usual
 * library chooses.
 */
const EXACT_UP_TO = 50;
const PATTERNS_UP_TO = 13;
/** Differences up to which sign patterns are counted: the work grows with their cube and takes a second at 500. */
const COUNTED_UP_TO = 500;

/** Average ranks 1..n of |d|, and the sum of t^3 - t over groups of ties. */
const rank = (d: readonly number[]): { ranks: number[]; tieSum: number } => {
  const order = d.map((value, index) => ({ size: Math.abs(value), index })).sort((a, b) => a.size - b.size);
  const ranks = new Array<number>(d.length);
  let tieSum = 0;
  for (let start = 0; start < order.length;) {
    let end = start + 1;
    while (end < order.length && order[end]?.size === order[start]?.size) end++;
    for (const { index } of order.slice(start, end)) ranks[index] = (start + 1 + end) / 2;
    tieSum += (end - start) ** 3 - (end - start);
    start = end;
  }
  return { ranks, tieSum };
};

/**
 * Two-sided p of the smaller rank sum over all sign patterns. Ranks are doubled, so that averages are whole; counts
 * become probabilities at once.
 */
const patternP = (ranks: readonly number[], statistic: number): number => {
  const doubled = ranks.map((value) => Math.round(2 * value));
  const total = doubled.reduce((sum, value) => sum + value, 0);
  let probability = new Float64Array(total + 1);
  probability[0] = 1;
  for (const step of doubled) {
    const next = new Float64Array(total + 1);
    for (let s = 0; s <= total; s++)
      next[s] = 0.5 * ((probability[s] ?? 0) + (s >= step ? (probability[s - step] ?? 0) : 0));
    probability = next;
  }
  let tail = 0;
  for (let s = 0; s <= Math.round(2 * statistic); s++) tail += probability[s] ?? 0;
  return Math.min(1, 2 * tail);
};

/** Wilcoxon's signed-rank test of a - b, two-sided. Zero differences are dropped, ties share their average rank. */
export const wilcoxon = (a: readonly number[], b: readonly number[]): Wilcoxon => {
  const all = differences(a, b);
  const d = all.filter((value) => value !== 0);
  const [n, zeros] = [d.length, all.length - d.length];
  const { ranks, tieSum } = rank(d);
  const rankSumPlus = ranks.reduce((sum, value, i) => sum + ((d[i] ?? 0) > 0 ? value : 0), 0);
  const rankSumMinus = (n * (n + 1)) / 2 - rankSumPlus;
  const statistic = Math.min(rankSumPlus, rankSumMinus);
  const ties = tieSum > 0;
  const distance = Math.abs(statistic - (n * (n + 1)) / 4);
  const std = Math.sqrt((n * (n + 1) * (2 * n + 1) - tieSum / 2) / 24);
  const asymptotic = (shift: number): number => (n === 0 ? 1 : erfc(Math.max(0, distance - shift) / std / Math.SQRT2));
  const pAsymptotic = asymptotic(0);
  const pExact = n <= COUNTED_UP_TO ? patternP(ranks, statistic) : undefined;
  const plain = !ties && zeros === 0;
  const form =
    plain && all.length <= EXACT_UP_TO
      ? 'exact'
      : !plain && all.length <= PATTERNS_UP_TO
        ? 'all sign patterns'
        : 'asymptotic';
  return {
    statistic,
    rankSumPlus,
    rankSumMinus,
    nonzero: n,
    zeros,
    ties,
    form,
    pAsymptotic,
    pAsymptoticCorrected: asymptotic(0.5),
    p: form === 'asymptotic' || pExact === undefined ? pAsymptotic : pExact,
    ...(pExact === undefined ? {} : { pExact }),
  };
};

import { at, type Metric } from '@tweedie/core';
import { mean } from '../statistics/statistics.ts';
import type { Range } from './candidates.ts';
import type { Candidate, Search } from './search.ts';

/** A candidate with its score on each image that it has seen; null where its sample failed. */
export type Scored = Candidate & { readonly perImage: readonly (number | null)[]; readonly score: number | null };

/** What became of the default: none did better, the best is not resolved from it, or it was beaten. */
export type DefaultFate = 'best' | 'kept' | 'beaten';

/** What one search found: the candidate that it chose, and all that it tried. */
export type TuneResult = Search & {
  readonly metric: string;
  readonly better: Metric['better'];
  readonly chosen: Scored & { readonly score: number };
  readonly tried: readonly Scored[];
  /** The candidate with the best mean over all images; the chosen one, unless it is not resolved from the default. */
  readonly best: Scored;
  /** The values that the row has without tuning, and what became of them; absent where it has none. */
  readonly default?: { readonly candidate: Scored; readonly fate: DefaultFate };
  /** Ranges that the search widened, since its best value was at their edge; `ranges` has them as they are then. */
  readonly widened: readonly Range[];
  /** Network forwards that the search took; a vjp counts as two. */
  readonly spent: number;
};

/** The value of an option that was searched. */
export const valueOf = ({ values }: Scored, option: string): number => {
  const value = values[option];
  if (value === undefined) throw new RangeError(`a candidate has no value of option ${option}.`);
  return value;
};

/** Mean difference of a candidate to the chosen one over the images that it has seen; null where one of them failed. */
export const differenceTo = (chosen: Scored, { perImage }: Scored): number | null => {
  const differences = perImage.flatMap((value, i) => {
    const other = at(chosen.perImage, i, 'score of the chosen candidate');
    return value === null || other === null ? [] : [value - other];
  });
  return differences.length < perImage.length ? null : mean(differences);
};

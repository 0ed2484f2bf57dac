/** Ranges that a search must go beyond: an option has ended at the edge of what was tried. */
import { beyond, type Range } from './candidates.ts';
import { valueOf, type Scored, type TuneResult } from './result.ts';

/**
 * The nearest candidates on both sides of one's value of an option; undefined where it is at the edge of what was
 * tried.
 */
export const neighbours = (
  { tried }: Pick<TuneResult, 'tried'>,
  one: Scored,
  { option }: Range,
): readonly [below: Scored | undefined, above: Scored | undefined] => {
  const own = valueOf(one, option);
  const sorted = [...tried].sort((a, b) => valueOf(a, option) - valueOf(b, option));
  return [sorted.findLast((each) => valueOf(each, option) < own), sorted.find((each) => valueOf(each, option) > own)];
};

/** The whole ranges, widened where they must be, and the part of them that is new, in which candidates are tried. */
type Wider = { readonly ranges: readonly Range[]; readonly part: readonly Range[] };

/** What lies beyond the edges that the best candidate is at; undefined where it is at none, or none allows more. */
export const widerOf = (result: TuneResult): Wider | undefined => {
  const parts = result.ranges.map((range): { whole: Range; part: Range; isWider: boolean } => {
    const [below, above] = neighbours(result, result.best, range);
    const part =
      below !== undefined && above !== undefined ? undefined : beyond(range, below === undefined ? 'below' : 'above');
    return part === undefined
      ? { whole: range, part: range, isWider: false }
      : {
          whole: { ...range, from: Math.min(range.from, part.from), to: Math.max(range.to, part.to) },
          part,
          isWider: true,
        };
  });
  return parts.some(({ isWider }) => isWider)
    ? { ranges: parts.map(({ whole }) => whole), part: parts.map(({ part }) => part) }
    : undefined;
};

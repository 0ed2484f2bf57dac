/** What several draws a picture say of the spread of a score, and scores that are 0 or 1. Pure functions. */
import { mean } from './statistics.ts';

/** Standard deviations of a score: among draws of one picture, and among the pictures themselves. */
export type Spread = { readonly within: number; readonly between: number };

/**
 * The two parts of a score's spread by one-way analysis of variance: `within` pools the variances of the draws of each
 * picture; `between` is that of the pictures' means, less what scatter of so many draws puts into it (0 where that
 * is more). Undefined where no picture has two draws, or there is one picture.
 */
export const spreadOf = (groups: readonly (readonly number[])[]): Spread | undefined => {
  const some = groups.filter((draws) => draws.length > 0);
  const draws = some.reduce((sum, { length }) => sum + length, 0);
  if (some.length < 2 || draws === some.length) return undefined;
  const squares = (values: readonly number[]): number => {
    const center = mean(values);
    return values.reduce((sum, value) => sum + (value - center) ** 2, 0);
  };
  const within = some.reduce((sum, each) => sum + squares(each), 0) / (draws - some.length);
  const means = squares(some.map(mean)) / (some.length - 1);
  const scatter = within * mean(some.map(({ length }) => 1 / length));
  return { within: Math.sqrt(within), between: Math.sqrt(Math.max(0, means - scatter)) };
};

/** How many of the pictures have the score 1, with the bounds of a 95 % interval of the rate. */
export type Rate = { readonly hits: number; readonly of: number; readonly low: number; readonly high: number };

const NORMAL_95 = 1.959964;

/**
 * The rate of a score that is 0 or 1, one a picture, with Wilson's interval (Wilson 1927, JASA 22:209), which stays
 * within 0 and 1 and has a width at 0 and at n of n too, where standard errors are 0. Undefined for other scores.
 */
export const rateOf = (values: readonly number[]): Rate | undefined => {
  const of = values.length;
  if (of === 0 || values.some((value) => value !== 0 && value !== 1)) return undefined;
  const hits = values.filter((value) => value === 1).length;
  const [share, z] = [hits / of, NORMAL_95 ** 2 / of];
  const center = (share + z / 2) / (1 + z);
  const half = (NORMAL_95 / (1 + z)) * Math.sqrt((share * (1 - share)) / of + z / (4 * of));
  return { hits, of, low: Math.max(0, center - half), high: Math.min(1, center + half) };
};

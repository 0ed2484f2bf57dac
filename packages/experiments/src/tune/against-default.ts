import type { Metric } from '@tweedie/core';
import { differences, tInterval, mean, type Interval } from '../statistics/statistics.ts';
import { byScore } from './rounds.ts';
import type { DefaultFate, Scored } from './result.ts';

/** How far a candidate is from the default, on the images that both have seen. */
export type Gain = { readonly difference: number; readonly interval: Interval; readonly images: number };

/** The paired difference to the default with its 95 % t interval; null where one failed or images are below two. */
export const gainOver = (fallback: Scored, candidate: Scored): Gain | null => {
  const images = Math.min(fallback.perImage.length, candidate.perImage.length);
  const sound = ({ perImage }: Scored): readonly number[] =>
    perImage.slice(0, images).filter((value) => value !== null);
  const [own, other] = [sound(candidate), sound(fallback)];
  if (images < 2 || own.length < images || other.length < images) return null;
  const paired = differences(own, other);
  return { difference: mean(paired), interval: tInterval(paired), images };
};

/** Whether a candidate is better than the default by more than chance: its whole interval is on the better side. */
const isResolved = (better: Metric['better'], fallback: Scored, candidate: Scored): boolean => {
  if (fallback.score === null) return candidate.score !== null;
  const gain = gainOver(fallback, candidate);
  return gain !== null && (better === 'higher' ? gain.interval[0] > 0 : gain.interval[1] < 0);
};

/**
 * The candidates that go on, the best first. The default keeps the last place, so that it is compared on all images;
 * where there is one place alone, the best gets it only if it is resolved from the default on those seen so far.
 */
export const goOn = (
  better: Metric['better'],
  scored: readonly Scored[],
  fallback: Scored | undefined,
  places: number,
): readonly Scored[] => {
  const order = byScore(better);
  const sorted = [...scored].sort((a, b) => order(a.score, b.score));
  const [best] = sorted;
  const kept = sorted.slice(0, places);
  if (fallback === undefined || best === undefined || fallback.score === null || kept.includes(fallback)) return kept;
  if (places === 1) return isResolved(better, fallback, best) ? [best] : [fallback];
  return [...kept.slice(0, -1), fallback];
};

/** The best of those that have seen every image, or the default where the best is not resolved from it. */
export const choose = <T extends Scored>(
  better: Metric['better'],
  finalists: readonly T[],
  fallback: Scored | undefined,
): { readonly chosen: T | undefined; readonly best: T | undefined; readonly fate?: DefaultFate } => {
  const order = byScore(better);
  const [best] = [...finalists].sort((a, b) => order(a.score, b.score));
  if (fallback === undefined || best === undefined) return { chosen: best, best };
  if (best === fallback) return { chosen: best, best, fate: 'best' };
  const stays = finalists.find((each) => each === fallback);
  return stays === undefined || isResolved(better, fallback, best)
    ? { chosen: best, best, fate: 'beaten' }
    : { chosen: stays, best, fate: 'kept' };
};

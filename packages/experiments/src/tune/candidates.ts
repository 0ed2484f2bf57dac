import { at, type Manifest } from '@tweedie/core';
import { rounded } from '../results/numbers.ts';

/** A tunable option and where it is searched. */
export type Range = {
  readonly option: string;
  readonly from: number;
  readonly to: number;
  readonly scale: 'log' | 'linear';
  readonly whole: boolean;
  /** The least and the greatest value that the option allows. */
  readonly least?: number;
  readonly most?: number;
};

/** The options of a manifest that are worth searching and that `given` does not fix. */
export const freeRanges = (
  { tunable = {}, options }: Manifest,
  given: Readonly<Record<string, unknown>>,
): readonly Range[] => {
  type Schema = Readonly<
    Partial<Record<'minimum' | 'exclusiveMinimum' | 'maximum' | 'exclusiveMaximum', number> & { type: unknown }>
  >;
  const properties = (options['properties'] ?? {}) as Readonly<Record<string, Schema>>;
  return Object.entries(tunable)
    .filter(([option]) => !(option in given))
    .map(([option, range]) => {
      const { type, minimum, exclusiveMinimum, maximum, exclusiveMaximum } = properties[option] ?? {};
      const [least, most] = [minimum ?? exclusiveMinimum, maximum ?? exclusiveMaximum];
      return {
        option,
        ...range,
        whole: type === 'integer',
        ...(least === undefined ? {} : { least }),
        ...(most === undefined ? {} : { most }),
      };
    });
};

/**
 * What lies beyond a range: half its width more on one side, in its own scale, as far as the option allows; undefined
 * where it allows nothing.
 */
export const beyond = (range: Range, side: 'below' | 'above'): Range | undefined => {
  const { from, to, scale, least = -Infinity, most = Infinity } = range;
  const factor = Math.sqrt(to / from);
  const width = (to - from) / 2;
  if (side === 'above') {
    const end = Math.min(most, rounded(scale === 'log' ? to * factor : to + width));
    return end > to ? { ...range, from: to, to: end } : undefined;
  }
  const end = Math.max(least, rounded(scale === 'log' ? from / factor : from - width));
  return end < from && (scale === 'linear' || end > 0) ? { ...range, from: end, to: from } : undefined;
};

/** A value with three digits, so that what is written into a recipe is what was tried. */
const written = (value: number, whole: boolean): number => (whole ? Math.round(value) : rounded(value));

const valueAt = ({ from, to, scale, whole }: Range, share: number): number =>
  written(scale === 'log' ? from * (to / from) ** share : from + (to - from) * share, whole);

/**
 * `count` points of the unit cube that fill it evenly however many are taken: an additive recurrence with the powers of
 * 1 / g, where g^(d+1) = g + 1 generalises the golden ratio to d dimensions. `start` is the first point. Roberts 2018,
 * "The unreasonable effectiveness of quasirandom sequences".
 */
export const evenPoints = (start: ArrayLike<number>, count: number): readonly (readonly number[])[] => {
  const dimension = start.length;
  let g = 2;
  for (let i = 0; i < 64; i++) g = (1 + g) ** (1 / (dimension + 1));
  const steps = Array.from({ length: dimension }, (_, axis) => g ** -(axis + 1));
  return Array.from({ length: count }, (_, i) =>
    steps.map((step, axis) => (at(start, axis, 'coordinate of the first point') + i * step) % 1),
  );
};

export type Values = Readonly<Record<string, number>>;

/**
 * `count` sets of values at most, each once: the values that the row has already, where it has all of them, then an
 * even cover of the ranges.
 */
export const candidateValues = (
  ranges: readonly Range[],
  own: Readonly<Record<string, unknown>>,
  start: ArrayLike<number>,
  count: number,
): readonly Values[] => {
  const kept = ranges
    .map(({ option }) => [option, own[option]] as const)
    .filter((entry): entry is readonly [string, number] => typeof entry[1] === 'number');
  const first = kept.length === ranges.length ? [Object.fromEntries(kept)] : [];
  const cover = evenPoints(start, count).map((point) =>
    Object.fromEntries(
      ranges.map((range, axis) => [range.option, valueAt(range, at(point, axis, 'coordinate of a point'))]),
    ),
  );
  return [...new Map([...first, ...cover].map((values) => [JSON.stringify(values), values])).values()].slice(0, count);
};

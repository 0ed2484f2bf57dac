import { ConfigError, showShape } from './errors.ts';
import type { MetricContext } from './plugin.ts';
import type { Image, Metric } from './types.ts';

/** What a metric takes as full scale. */
export type MetricScale = {
  /** An entry of an image where full scale is 0 to 1, clipped to the range of the images where they have one. */
  unit(value: number): number;
  /** The sentence for `Metric.scale`. */
  readonly scale: NonNullable<Metric['scale']>;
};

const shown = ([low, high]: readonly [number, number]): string =>
  showShape([low, high].map((value) => Number(value.toPrecision(4))));

/**
 * Full scale of a metric: its option `range`, or else the range of the images, or else the spread of the clean images
 * of the run. Entries are clipped to the range of the images, never to another. Throws ConfigError where nothing is
 * known or full scale is empty; `name` is the metric's.
 */
export const metricScale = (
  name: string,
  option: readonly [low: number, high: number] | undefined,
  { range, references }: Pick<MetricContext, 'range' | 'references'>,
): MetricScale => {
  const chosen = option ?? range ?? references;
  if (chosen === undefined) {
    throw new ConfigError(
      name,
      'what is full scale is not known: neither the range of the images nor their spread is.',
      'Give the option "range", [low, high].',
    );
  }
  const [low, high] = chosen;
  const from = option ? 'its option "range"' : range ? 'the range of the images' : 'the spread of the clean images';
  if (!(low < high)) {
    throw new ConfigError(
      name,
      `full scale is ${shown(chosen)}, ${from}, and its low end must be below its high end.`,
      'Give the option "range", [low, high].',
    );
  }
  const [least, most] = range ?? [-Infinity, Infinity];
  return {
    unit: (value) => (Math.min(Math.max(value, least), most) - low) / (high - low),
    scale: `full scale ${shown(chosen)}, ${from}; ${range ? `entries are clipped to ${option ? shown(range) : 'it'}` : 'nothing is clipped'}`,
  };
};

/** Throws ConfigError where images and references differ in shape; `name` is the metric's. */
export const refuseOtherShapes = (name: string, x: Image, reference: Image): void => {
  if (showShape(x.shape) === showShape(reference.shape)) return;
  throw new ConfigError(
    name,
    `images ${showShape(x.shape)} and references ${showShape(reference.shape)} differ in shape.`,
    'Compare images of one shape.',
  );
};

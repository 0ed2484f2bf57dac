import { type Image, type Metric, type MetricContext } from '@tweedie/core';
import { rangeOf, type Workbench } from '../plan/workbench.ts';
import { cleanImage } from './problems.ts';

/** The name under which the share of a sample's entries outside the range is stored, beside the scores of metrics. */
export const OUTSIDE = 'outside the range';

/** What metrics and pictures know of the images: their range or, without one, the spread of the clean ones. */
export type ImageRange = Pick<MetricContext, 'range' | 'references'>;

/** Reads the clean images where nothing else says what their entries are. Call after the model is loaded. */
export const imageRange = async (bench: Workbench): Promise<ImageRange> => {
  // The range of measurements is not that of the images behind them.
  const range = rangeOf(bench.model, bench.experiment.images.measured ? undefined : bench.dataset);
  if (range) return { range };
  let [low, high] = [Infinity, -Infinity];
  for (let position = 0; position < bench.experiment.images.count; position++) {
    const image = await cleanImage(bench, position);
    if (!('x0' in image)) return {};
    for (const value of image.x0) [low, high] = [Math.min(low, value), Math.max(high, value)];
  }
  return { references: [low, high] };
};

/** The metrics of an experiment, in its order. */
export const makeMetrics = async (bench: Workbench, images: ImageRange): Promise<readonly Metric[]> => {
  const metrics: Metric[] = [];
  for (const reference of bench.experiment.metrics)
    metrics.push(await bench.container.plugin('metric', reference, images));
  return metrics;
};

/** The share of the entries of each image of a batch that lie outside a range: what a metric clips. */
export const shareOutside = async (
  x: Image,
  [low, high]: readonly [low: number, high: number],
): Promise<readonly number[]> => {
  const [values, [batch]] = [await x.data(), x.shape];
  const size = values.length / batch;
  return Array.from({ length: batch }, (_, row) => {
    let count = 0;
    for (const value of values.subarray(row * size, (row + 1) * size)) if (value < low || value > high) count++;
    return count / size;
  });
};

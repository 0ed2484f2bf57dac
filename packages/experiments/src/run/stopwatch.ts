import { at, type BoundGuidance } from '@tweedie/core';

export type Timing = {
  /** Wall clock without compilation, whole chunk. */
  readonly seconds: number;
  readonly compileSeconds: number;
  /** Largest resident memory seen, bytes. */
  readonly peakMemory: number;
};

/** The middle one, or the larger of the two in the middle. */
export const median = (values: readonly number[]): number =>
  at(
    [...values].sort((a, b) => a - b),
    Math.floor(values.length / 2),
    'value',
  );

/**
 * Times the steps of a chunk. A step in which something was compiled counts as long as the median of the others, the
 * rest of it as compilation.
 */
export const stopwatch = (bound: Pick<BoundGuidance, 'compilations'>) => {
  const plain: number[] = [];
  const compiling: number[] = [];
  let last = performance.now();
  let compilations = bound.compilations();
  let peakMemory = process.memoryUsage.rss();
  const lap = (): void => {
    const now = performance.now();
    (bound.compilations() > compilations ? compiling : plain).push(now - last);
    compilations = bound.compilations();
    last = now;
    peakMemory = Math.max(peakMemory, process.memoryUsage.rss());
  };
  const stop = (): Timing => {
    lap();
    const all = [...plain, ...compiling].reduce((sum, value) => sum + value, 0);
    // The last lap is what follows the last step, not a step.
    const step = plain.length > 1 ? median(plain.slice(0, -1)) : undefined;
    const compileSeconds =
      step === undefined ? 0 : compiling.reduce((sum, value) => sum + Math.max(0, value - step), 0) / 1000;
    return { seconds: all / 1000 - compileSeconds, compileSeconds, peakMemory };
  };
  return { lap, stop };
};

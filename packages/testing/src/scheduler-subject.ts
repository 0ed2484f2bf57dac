import type { Engine, NoiseProcess, Scheduler } from '@tweedie/core';

export type SchedulerSettings = {
  /** Processes to try, a block each; default: both. */
  readonly processes?: readonly ('vp' | 've')[];
  /**
   * Largest error of the marginals of a Gaussian prior of standard deviation 0.3, as a share of their standard
   * deviation; default 0.1.
   */
  readonly marginalTolerance?: number;
  /**
   * Order of the error in the number of steps: halving the step divides it by 2^order. Needs an option `steps`;
   * default: not checked.
   */
  readonly order?: number;
  /** Where the last step ends; default 0. */
  readonly lastSigma?: number;
};

/** What the scheduler checks look at: a scheduler on one process. */
export type SchedulerSubject = {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly process: NoiseProcess;
  readonly marginalTolerance: number;
  readonly lastSigma: number;
  readonly order?: number;
  /** Makes the scheduler with another number of steps. */
  readonly withSteps: (steps: number) => Promise<Scheduler>;
  readonly engine: () => Promise<Engine>;
};

/** The prior that the checks denoise: far from N(0, 1), so that mean and variance both tell. */
export const PRIOR = { mean: 0.5, variance: 0.09 };

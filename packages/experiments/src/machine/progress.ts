import { CancelledError } from '@tweedie/core';

/** How far long work has come; `done` of `total` is in units of the phase. */
export type Progress = {
  readonly phase:
    | 'problems'
    | 'sampling'
    | 'merging'
    | 'scores'
    | 'measures'
    | 'report'
    | 'drawing'
    | 'training'
    | 'patches'
    | 'fitting'
    | 'fetching';
  readonly done: number;
  readonly total: number;
  /** The row or image that is at work. */
  readonly label?: string;
  readonly message?: string;
};

export type Watch = {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((event: Progress) => void) | undefined;
};

export const checkSignal = (signal: AbortSignal | undefined): void => {
  if (signal?.aborted) throw new CancelledError('Stopped. What had finished is kept.');
};

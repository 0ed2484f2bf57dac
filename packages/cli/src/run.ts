import type { Progress } from '@tweedie/experiments';
import { interruptible } from './interrupt.ts';
import { progressOn } from './progress.ts';

/** What long work gets: where to tell progress, and when to stop. */
export type Running = { readonly onProgress: (progress: Progress) => void; readonly signal: AbortSignal };

/** Runs long work with progress and Ctrl-C. */
export const runLong = async <T>(work: (running: Running) => Promise<T>): Promise<T> => {
  const display = progressOn(process.stderr);
  const onInterrupt = (): void => {
    display.stop();
    process.stderr.write('Stopping after this step. Press Ctrl-C again to end at once.\n');
  };
  try {
    return await interruptible(onInterrupt, (signal) => work({ signal, onProgress: (progress) => (signal.aborted ? undefined : display.show(progress)) }));
  } finally {
    display.stop();
  }
};

import { CancelledError } from '@tweedie/core/registry';
import type { Progress } from '@tweedie/experiments';
import { interruptible, supervised } from './interrupt.ts';
import { progressOn } from './progress.ts';

/** What long work is given: a function to tell progress to, and a signal that says when to stop. */
export type Running = { readonly onProgress: (progress: Progress) => void; readonly signal: AbortSignal };

/** Runs long work with progress and Ctrl-C, and says which command resumes it when it was stopped. */
export const runResumable = async <T>(
  command: string,
  argv: readonly string[],
  work: (running: Running) => Promise<T>,
): Promise<T> => {
  const { quote } = await import('@tweedie/experiments');
  const line = `To resume: npx tweedie ${[command, ...argv.map(withoutPassword)].map(quote).join(' ')}`;
  if (supervised) process.send?.(`${line}\n`);
  return runLong(work).catch((error: unknown) => {
    if (!(error instanceof CancelledError)) throw error;
    throw new CancelledError(`${error.message}\n${line}`, { cause: error });
  });
};

/** An argument without the password of a URL in it, which no log needs to know. */
const withoutPassword = (argument: string): string =>
  argument.replace(/([a-z]+:\/\/[^/?#\s@:]*):[^/?#\s@]*@/i, '$1:...@').replace(/([?&]password=)[^&]*/i, '$1...');

/** Runs long work with progress and Ctrl-C. */
export const runLong = async <T>(work: (running: Running) => Promise<T>): Promise<T> => {
  const display = progressOn(process.stderr);
  const onInterrupt = (): void => {
    display.stop();
    if (!supervised) process.stderr.write('Stopping. Press Ctrl-C again to end at once.\n');
  };
  try {
    return await interruptible(onInterrupt, (signal) =>
      work({ signal, onProgress: (progress) => (signal.aborted ? undefined : display.show(progress)) }),
    );
  } finally {
    display.stop();
  }
};

/**
 * Runs `work` with a signal that the first Ctrl-C aborts, so that it can stop between two steps and keep what is done.
 * The second Ctrl-C ends the process as usual.
 */
export const interruptible = async <T>(
  onInterrupt: () => void,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const controller = new AbortController();
  const stop = (): void => {
    onInterrupt();
    controller.abort();
  };
  process.once('SIGINT', stop);
  try {
    return await work(controller.signal);
  } finally {
    process.off('SIGINT', stop);
  }
};

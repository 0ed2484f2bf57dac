/**
 * Runs `work` with a signal that the first Ctrl-C (or SIGTERM) aborts, so that it can stop between two steps and keep what is done.
 * The second one ends the process as usual.
 */
export const interruptible = async <T>(onInterrupt: () => void, work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
  const controller = new AbortController();
  const names = ['SIGINT', 'SIGTERM'] as const;
  const release = (): void => names.forEach((name) => void process.off(name, stop));
  const stop = (): void => {
    release();
    onInterrupt();
    controller.abort();
  };
  for (const name of names) process.on(name, stop);
  try {
    return await work(controller.signal);
  } finally {
    release();
  }
};

/** What asks a process to stop: Ctrl-C, `kill` and batch systems, a terminal that closes. */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs `work` with a signal that the first Ctrl-C, SIGTERM or SIGHUP aborts, so that it can stop between two steps and
 * keep what is done. The second one ends the process as usual.
 */
export const interruptible = async <T>(
  onInterrupt: () => void,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const controller = new AbortController();
  const release = (): void => signals.forEach((name) => process.off(name, stop));
  const stop = (): void => {
    release();
    onInterrupt();
    controller.abort();
  };
  signals.forEach((name) => process.on(name, stop));
  try {
    return await work(controller.signal);
  } finally {
    release();
  }
};

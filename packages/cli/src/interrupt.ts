/** What asks a process to stop: Ctrl-C, `kill` and batch systems, a terminal that closes. */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Whether another process hears the signals and tells this one, which it ends soon after (`bin/supervise.js`). */
export const supervised = process.env['TWEEDIE_SUPERVISOR'] === String(process.ppid) && process.connected;
let stopped = false;
/** Whether that process has asked this one to stop: then it says so to the user. */
export const toldToStop = (): boolean => stopped;
if (supervised) {
  // One that ends without a word takes this one along.
  process.on('disconnect', () => process.exit(1));
  process.channel?.unref();
}

/**
 * Runs `work` with a signal that the first Ctrl-C, SIGTERM or SIGHUP aborts, so that it can stop between two steps and
 * keep what is done. The second one ends the process as usual.
 */
export const interruptible = async <T>(
  onInterrupt: () => void,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const controller = new AbortController();
  const release = (): void => {
    signals.forEach((name) => process.off(name, stop));
    process.off('message', stop);
  };
  const stop = (): void => {
    if (!supervised) release();
    if (controller.signal.aborted) return;
    stopped = supervised;
    onInterrupt();
    controller.abort();
  };
  signals.forEach((name) => process.on(name, stop));
  if (supervised) {
    process.on('message', stop);
    process.channel?.unref();
  }
  try {
    return await work(controller.signal);
  } finally {
    release();
  }
};

import { setTimeout as pause } from 'node:timers/promises';
import { CancelledError, ConfigError, messageOf } from '@tweedie/core';

/** How long a place that does not answer is waited for. */
export type Patience = {
  /** Milliseconds; default a minute. */
  readonly patience?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told once each time that something has to be waited for. */
  readonly onWait?: ((message: string) => void) | undefined;
};

/** Milliseconds for one request: a result of a large picture is some megabytes. */
const REQUEST = 120_000;
const [FIRST, LONGEST] = [200, 5000];

/** An answer that says that it may be another one later. */
const isPassing = (status: number): boolean => status === 408 || status === 409 || status === 429 || status >= 500;

const causeOf = (error: unknown): string => {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause === undefined ? messageOf(error) : `${messageOf(error)} (${messageOf(cause)})`;
};

/**
 * Sends a request until it is answered: a link that is down, and an answer of a server in trouble, are waited out.
 * Throws ConfigError when patience is at its end, and CancelledError when `signal` aborts.
 */
export const askUntilAnswered = async (
  place: string,
  ask: (signal: AbortSignal) => Promise<Response>,
  { patience = 60_000, signal, onWait }: Patience,
): Promise<Response> => {
  const started = performance.now();
  for (let wait = FIRST; ; wait = Math.min(2 * wait, LONGEST)) {
    let reason: string;
    try {
      const limits = [AbortSignal.timeout(REQUEST), ...(signal ? [signal] : [])];
      const response = await ask(AbortSignal.any(limits));
      if (!isPassing(response.status)) return response;
      reason = `it answers ${response.status} ${response.statusText}`.trimEnd();
      await response.body?.cancel();
    } catch (error) {
      reason = causeOf(error);
    }
    if (signal?.aborted) throw new CancelledError('Stopped. What had finished is kept.');
    if (performance.now() - started + wait > patience)
      throw new ConfigError(
        place,
        `does not answer: ${reason.replace(/\.$/, '')}.`,
        'See that it runs and can be reached from here, then run the same command again: what had finished is kept.',
      );
    if (wait === FIRST) onWait?.(`[${place}] does not answer (${reason}): waiting for it.`);
    await pause(wait, undefined, signal ? { signal } : {}).catch(() => undefined);
  }
};

/**
 * Something the user gave is wrong: a recipe, an option, a file, an unknown name. Printed without a stack trace, exit
 * code 2. The message has the shape `[kind/id] what is wrong, with the values. What to do.`
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(where: string, what: string, remedy: string, options?: { cause?: unknown }) {
    super(`[${where}] ${what}${remedy === '' ? '' : ` ${remedy}`}`, options);
  }
}

/** A ConfigError about something optional that is not installed: `tweedie doctor` calls it absent, not broken. */
export class NotInstalledError extends ConfigError {}

/** The run was stopped from outside (Ctrl-C, AbortSignal). Nothing that finished is lost. */
export class CancelledError extends Error {
  override readonly name = 'CancelledError';
}

/** A shape as errors print it: [2, 64, 64, 3]. */
export const showShape = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

/** The message of anything thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

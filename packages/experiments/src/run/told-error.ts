/** Errors as plain data, so that what is thrown in another process is thrown here as what it was. */
import { CancelledError, ConfigError, messageOf } from '@tweedie/core';
import { PluginError } from '@tweedie/core/registry';

export type ToldError = {
  readonly kind: 'config' | 'plugin' | 'cancelled' | 'other';
  readonly message: string;
  readonly name?: string;
  readonly stack?: string;
  readonly cause?: ToldError;
};

export const tellError = (error: unknown): ToldError => ({
  kind:
    error instanceof ConfigError
      ? 'config'
      : error instanceof PluginError
        ? 'plugin'
        : error instanceof CancelledError
          ? 'cancelled'
          : 'other',
  message: messageOf(error),
  ...(error instanceof Error ? { name: error.name } : {}),
  ...(error instanceof Error && error.stack !== undefined ? { stack: error.stack } : {}),
  ...(error instanceof Error && error.cause !== undefined ? { cause: tellError(error.cause) } : {}),
});

/** The error again, with its own stack: the line of a plugin in it is that of the other process. */
export const errorOf = ({ kind, message, name, stack, cause }: ToldError): Error => {
  const options = cause === undefined ? {} : { cause: errorOf(cause) };
  const error =
    kind === 'config'
      ? new ConfigError('', '', '', options)
      : kind === 'plugin'
        ? new PluginError(message, options)
        : kind === 'cancelled'
          ? new CancelledError(message, options)
          : new Error(message, options);
  error.message = message;
  if (kind === 'other' && name !== undefined) Object.defineProperty(error, 'name', { value: name });
  if (stack !== undefined) error.stack = stack;
  return error;
};

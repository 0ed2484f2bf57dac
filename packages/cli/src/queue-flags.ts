import { ConfigError } from '@tweedie/core/registry';

/** What the commands that use a queue say of credentials. */
export const queueEnvironment =
  'A password that the URL lacks is read from TWEEDIE_QUEUE_PASSWORD, so that it need not stand on a command line.';

/** The queue that is given, or else the one that the environment names. */
export const queueOf = (given: string | undefined): string => {
  const queue = given ?? process.env['TWEEDIE_QUEUE'] ?? '';
  if (queue !== '') return queue;
  throw new ConfigError(
    'queue',
    'is not given.',
    'Give its URL, such as redis://host:6379 or postgres://user@host/database, or export it as TWEEDIE_QUEUE.',
  );
};

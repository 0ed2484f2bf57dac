import { ConfigError, messageOf } from '@tweedie/core/registry';

/** A plugin as the command line names it: its id and the options given there. */
export type Reference = { readonly id: string; readonly options: Readonly<Record<string, unknown>> };

/**
 * Reads `dps`, `dps:scale=0.3,norm=squared` or `dps:{"scale":0.3}`. Values are JSON where they can be read as such,
 * else text.
 */
export const parseReference = (text: string): Reference => {
  const colon = text.indexOf(':');
  if (colon < 0) return { id: text, options: {} };
  const id = text.slice(0, colon);
  const rest = text.slice(colon + 1);
  if (rest.startsWith('{')) {
    try {
      return { id, options: JSON.parse(rest) as Record<string, unknown> };
    } catch (error) {
      throw new ConfigError(
        text,
        `the options are not valid JSON: ${messageOf(error)}.`,
        'Quote the whole argument for the shell.',
        { cause: error },
      );
    }
  }
  return { id, options: Object.fromEntries(rest.split(',').map((pair) => option(pair, text))) };
};

const option = (pair: string, text: string): readonly [name: string, value: unknown] => {
  const equals = pair.indexOf('=');
  if (equals < 1)
    throw new ConfigError(
      text,
      `${JSON.stringify(pair)} is not of the form name=value.`,
      'Write options as id:name=value,name=value.',
    );
  const value = pair.slice(equals + 1);
  try {
    return [pair.slice(0, equals), JSON.parse(value)];
  } catch {
    return [pair.slice(0, equals), value];
  }
};

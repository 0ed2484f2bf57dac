import { ConfigError } from '@tweedie/core/registry';

/** One line of what `tweedie check` found. */
export type Outcome = { readonly name: string; readonly state: 'ok' | 'failed'; readonly says: string };

/** Imports a library that is needed for checking alone; where it is missing a ConfigError says so. */
export const needing = async <T>(load: () => Promise<T>): Promise<T> => {
  try {
    return await load();
  } catch (error) {
    const [, name] = /Cannot find (?:package|module) '((?:@[^/']+\/)?[^/']+)/.exec(String(error)) ?? [];
    if (name === undefined || !['typescript', 'vitest', '@tweedie/testing'].includes(name)) throw error;
    throw absent(name, error);
  }
};

/** The error for a library that is needed for checking alone and is missing: it says how to get it. */
export const absent = (name: string, cause?: unknown): ConfigError =>
  new ConfigError(
    'tweedie check',
    `needs ${name}, which is not installed beside tweedie.`,
    'Run npm install --save-dev typescript vitest @types/node @tweedie/testing there; in a clone of the repository, npm ci.',
    { cause },
  );

/** Failures with those left out that say what an earlier one says, which tells how many they are. */
export const folded = (failures: readonly Omit<Outcome, 'state'>[]): readonly Outcome[] => {
  const kept: { name: string; says: string; more: number }[] = [];
  for (const { name, says } of failures) {
    const same = kept.find((one) => says.includes(one.says));
    if (same) same.more += 1;
    else kept.push({ name, says, more: 0 });
  }
  return kept.map(({ name, says, more }) => ({
    name: more === 0 ? name : `${name} (and ${more} more)`,
    state: 'failed',
    says,
  }));
};

/** A message on one line, so that the list of outcomes stays a list. */
export const onOneLine = (message: string): string => message.trim().replaceAll(/\s*\n\s*/g, ' ');

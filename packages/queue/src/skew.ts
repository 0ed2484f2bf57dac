/** What differs between the process that compares and one that is to draw for it, and who has to update. */
import { ConfigError } from '@tweedie/core';
import type { ChunkFacts } from '@tweedie/experiments';

const numbersOf = (version: string): readonly number[] => version.split(/[.+-]/).map(Number);
/** Whether a version is older than another: 1.9.0 is older than 1.10.0. */
const isOlder = (a: string, b: string): boolean => {
  const [own, other] = [numbersOf(a), numbersOf(b)];
  const place = own.findIndex((part, i) => part !== (other[i] ?? 0));
  return place >= 0 && (own[place] ?? 0) < (other[place] ?? 0);
};

/** Whether a fact is a version; of others nobody can say which is the older. */
const isVersion = (fact: string | undefined): boolean => /^\d+\.\d/.test(fact ?? '');

/**
 * Refuses a run whose chunks would have other bits here. `here` are the facts of this worker, `there` those of the
 * process that compares.
 */
export const refuseSkew = (here: ChunkFacts, there: ChunkFacts, run: string): void => {
  const names = [...new Set([...Object.keys(there), ...Object.keys(here)])].filter(
    (name) => here[name] !== there[name],
  );
  if (names.length === 0) return;
  const list = names.map((name) => `${name}: ${here[name] ?? 'absent'} here, ${there[name] ?? 'absent'} there`);
  const versions = names.filter((name) => isVersion(here[name]) && isVersion(there[name]));
  const older = versions.map((name) => isOlder(here[name] ?? '', there[name] ?? ''));
  const remedy =
    versions.length > 0 && older.every(Boolean)
      ? 'Update this worker.'
      : versions.length > 0 && !older.some(Boolean)
        ? 'Update the machine that compares.'
        : 'Bring both to the same version and the same plugins: nothing says which of the two is newer.';
  throw new ConfigError(`run ${run}`, `would have other numbers on this machine: ${list.join('; ')}.`, remedy);
};

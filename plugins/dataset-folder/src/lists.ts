/** Text files that say which pictures of a folder count, and of which class each is. */
import { ConfigError, type Files } from '@tweedie/core';

const where = 'dataset/folder';

/** What follows a name in a list that ships: its ending is the picture's own. */
const stemOf = (name: string): string => name.replace(/\.[^./]+$/, '');

/** Lines of a file, without comments (#) and blank ones. */
const linesOf = (text: string): readonly string[] =>
  text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');

/** The place of a list: one that ships is called by its name alone. */
const placeOf = (list: string): string =>
  /^[\w-]+$/.test(list) ? new URL(`../lists/${list}.txt`, import.meta.url).href : list;

/**
 * The names of a list, in its order, as the folder has them: with or without ending, anywhere in the folders that are
 * looked through. Throws ConfigError with those that are not there or stand for several pictures.
 */
export async function listedNames(list: string, names: readonly string[], files: Files): Promise<readonly string[]> {
  const wanted = linesOf(await files.readText(placeOf(list)));
  if (wanted.length === 0) throw new ConfigError(list, 'names no picture.', 'Write a name a line.');
  const known = new Map<string, string[]>();
  for (const name of names)
    for (const key of new Set([name, stemOf(name), ...[name.split('/').at(-1) ?? name].flatMap((n) => [n, stemOf(n)])]))
      known.set(key, [...(known.get(key) ?? []), name]);
  const found = wanted.map((name) => known.get(name) ?? []);
  const absent = wanted.filter((_, i) => found[i]?.length !== 1);
  if (absent.length > 0) {
    const some = absent.slice(0, 3).join(', ');
    throw new ConfigError(
      where,
      `${absent.length} of the ${wanted.length} pictures of ${list} are not in the folder, or there more than once: ${some}${absent.length > 3 ? ' ...' : ''}.`,
      'Check path; recursive: true looks into its folders.',
    );
  }
  return found.flat();
}

/** The class of each picture, from lines of a name and a number. Throws ConfigError where one has none. */
export async function labelsOf(
  path: string,
  names: readonly string[],
  files: Files,
): Promise<ReadonlyMap<string, number>> {
  const given = new Map<string, number>();
  for (const line of linesOf(await files.readText(path))) {
    const [, name, label] = /^(.*?)[\s,]+(\d+)$/.exec(line) ?? [];
    if (name === undefined || label === undefined)
      throw new ConfigError(
        path,
        `the line ${JSON.stringify(line)} is not a name and a class.`,
        'Write: picture.png 3',
      );
    given.set(name, Number(label));
    given.set(stemOf(name), Number(label));
  }
  const labelOf = (name: string): number | undefined => {
    const base = name.split('/').at(-1) ?? name;
    return [name, stemOf(name), base, stemOf(base)].map((key) => given.get(key)).find((label) => label !== undefined);
  };
  const absent = names.filter((name) => labelOf(name) === undefined);
  if (absent.length > 0)
    throw new ConfigError(
      path,
      `says no class of ${absent.length} of ${names.length} pictures, ${absent.slice(0, 3).join(', ')} among them.`,
      'Add a line for each: its name and its class, from 0.',
    );
  return new Map(names.map((name) => [name, labelOf(name) ?? 0]));
}

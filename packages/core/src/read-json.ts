import { readFileSync, statSync } from 'node:fs';
import { ConfigError, messageOf } from './errors.ts';
import { refuseIrregular } from './regular-file.ts';

/** JSON from a file, with or without the mark that some editors put before UTF-8; a ConfigError names the file. */
export const readJson = (path: string, remedy = ''): unknown => {
  try {
    refuseIrregular(path, statSync(path));
    const bytes = readFileSync(path);
    const [first, second] = bytes;
    if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff))
      throw new Error('it is UTF-16 text, save it as UTF-8');
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(path, `cannot be read: ${messageOf(error)}.`, remedy, { cause: error });
  }
};

import { ConfigError, messageOf } from '@tweedie/core';
import { OTHER_RUN, writeError } from '@tweedie/files';

/** What DuckDB says of a file, without the kind of its error, and in one line. */
const said = (error: unknown): string =>
  messageOf(error)
    .replace(/^(IO|FATAL|Serialization|INTERNAL) Error: /i, '')
    .replace(/\s+/g, ' ')
    .replace(/\.$/, '');

/** The error of a database that could not be opened or read, in words of who has the run folder. */
export const databaseError = (folder: string, path: string, cause: unknown): Error => {
  if (cause instanceof ConfigError) return cause;
  const message = said(cause);
  if (/Conflicting lock|used by another process/i.test(message)) {
    const holder = /\(PID (\d+)\)/.exec(message)?.[1];
    return new ConfigError(
      folder,
      `another process${holder === undefined ? '' : ` (PID ${holder})`} is using this run folder.`,
      `Wait for it to end, or ${OTHER_RUN}.`,
      { cause },
    );
  }
  if (/with version number|newer version|storage version/i.test(message)) {
    return new ConfigError(
      path,
      `cannot be read as results: ${message}.`,
      `It may come from a newer version of Tweedie. Update, or ${OTHER_RUN}.`,
      { cause },
    );
  }
  if (/replaying WAL|WAL file/i.test(message)) {
    return new ConfigError(
      `${path}.wal`,
      `is damaged: ${message}.`,
      `Move it away and run the command of the run again, which draws again what was noted there; or ${OTHER_RUN}.`,
      { cause },
    );
  }
  if (/corrupt|checksum|not a valid DuckDB|not read enough bytes|deserializ|invalidated/i.test(message)) {
    return new ConfigError(
      path,
      `cannot be read as results, it is damaged: ${message}.`,
      `Move it away and run the command of the run again, which draws all samples again; or ${OTHER_RUN}.`,
      { cause },
    );
  }
  return writeError(path, cause);
};

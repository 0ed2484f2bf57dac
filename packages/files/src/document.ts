/** Reads YAML and JSON files that users write, with messages that name the line. */
import { readFileSync, statSync } from 'node:fs';
import { ConfigError, messageOf, refuseIrregular } from '@tweedie/core';
import { type Document, isMap, LineCounter, parseDocument, visit } from 'yaml';

export type WrittenDocument = {
  /** What the file holds; throws ConfigError where an alias leads nowhere or in a circle. */
  content(): unknown;
  /**
   * Runs `check`. A ConfigError that names a place of the file as `[file /pointer]` leaves with the line:
   * `[file:12 /pointer]`.
   */
  locating<T>(check: () => T): T;
};

/** What a document is, for messages: an experiment, the keys one has, and where to start. */
export type DocumentKind = { readonly noun: string; readonly keys: string; readonly start: string };

/** The line of the nearest thing that exists at or above a JSON pointer. */
const lineOf = (document: Document, lines: LineCounter, pointer: string): number => {
  const path = pointer
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
  for (let length = path.length; length > 0; length--) {
    const keys = path.slice(0, length).map((key) => (/^\d+$/.test(key) ? Number(key) : key));
    const node = document.getIn(keys, true);
    if (typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range))
      return lines.linePos(Number(node.range[0])).line;
  }
  return 1;
};

/** A ConfigError's message with lines in place of bare pointers. */
const withLines = (error: unknown, file: string, lineAt: (pointer: string) => number): unknown => {
  if (!(error instanceof ConfigError)) return error;
  error.message = error.message
    .replaceAll(`[${file} /`, `[${file} \0/`)
    .replace(/ \0(\/[^\]]*)\]/g, (_, pointer: string) => `:${lineAt(pointer)} ${pointer}]`);
  return error;
};

/** Bytes of the largest experiment file that is read: parsing takes forty times as much memory. */
const LARGEST = 16 * 2 ** 20;

/** Refuses a value that holds itself, as an alias within its own anchor does. */
export const refuseCircle = (value: unknown, where: string, at = '', above: readonly unknown[] = []): void => {
  if (typeof value !== 'object' || value === null) return;
  if (above.includes(value))
    throw new ConfigError(
      at === '' ? where : `${where} ${at}`,
      'holds itself, without end.',
      'An alias (*name) cannot stand within its own anchor (&name): write out what is meant.',
    );
  for (const [key, inner] of Object.entries(value))
    refuseCircle(inner, where, `${at}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, [...above, value]);
};

/**
 * The content of a YAML document. Its aliases are followed here, not while parsing: one without an anchor, or so many
 * that memory would not do, shows only now.
 */
const contentOf = (document: Document, file: string, lines: LineCounter): unknown => {
  try {
    const content: unknown = document.toJS();
    refuseCircle(content, file);
    return content;
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    let line = '';
    visit(document, {
      Alias(_, alias) {
        if (alias.resolve(document) !== undefined) return undefined;
        line = `:${lines.linePos(alias.range?.[0] ?? 0).line}`;
        return visit.BREAK;
      },
    });
    throw new ConfigError(
      `${file}${line}`,
      `is not valid YAML: ${messageOf(error)}.`,
      'Correct its aliases (*name); each needs its anchor (&name) above it.',
      { cause: error },
    );
  }
};

/** Reads a file that is a map of keys. Throws ConfigError with file and line where it is not. */
export function readDocument(file: string, { noun, keys, start }: DocumentKind): WrittenDocument {
  const text = textOf(file, noun);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: true });
  const [broken] = document.errors;
  if (broken) {
    const [what = ''] = broken.message.split('\n');
    const given = text.split('\n').slice(0, broken.linePos?.[0].line ?? 0);
    const line = given.pop()?.trim() ?? '';
    // What is never closed is missed at the end of the file, below its last line.
    const above = given
      .reverse()
      .find((other) => other.trim() !== '')
      ?.trim();
    const shown = line !== '' ? `, in «${line}»` : above === undefined ? '' : `, below «${above}»`;
    throw new ConfigError(
      file,
      `is not valid YAML: ${what.replace(/;.*\(\)| *:$/g, '')}${shown}.`,
      'Correct the file.',
    );
  }
  if (!isMap(document.contents))
    throw new ConfigError(file, `is not ${a(noun)}: it holds no keys such as ${keys}.`, start);
  return {
    content: () => contentOf(document, file, lines),
    locating(check) {
      try {
        return check();
      } catch (error) {
        throw withLines(error, file, (pointer) => lineOf(document, lines, pointer));
      }
    },
  };
}

const a = (noun: string): string => `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;

function textOf(file: string, noun: string): string {
  try {
    const stats = statSync(file);
    refuseIrregular(file, stats);
    if (stats.size > LARGEST)
      throw new ConfigError(
        file,
        `has ${Math.round(stats.size / 2 ** 20)} MB; ${noun} files of at most ${LARGEST / 2 ** 20} MB are read.`,
        'Keep numbers in files that it names (a mask or means in safetensors, pictures in a folder).',
      );
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(file, `the ${noun} file cannot be read: ${messageOf(error)}.`, 'Correct the path.', {
      cause: error,
    });
  }
}

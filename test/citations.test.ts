/**
 * What comments, documents and fixtures cite is there: documents, their numbered sections, and the targets of links.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const ignored = /^(node_modules|dist|runs|coverage|package-lock\.json|\..*)$/;
const textFile = /\.(md|ts|js|json|ya?ml|wat|sh)$/;

const filesIn = (folder: string): readonly string[] =>
  readdirSync(join(root, folder), { withFileTypes: true })
    .filter(({ name }) => !ignored.test(name))
    .flatMap((entry) => {
      const path = posix.join(folder, entry.name);
      return entry.isDirectory() ? filesIn(path) : textFile.test(path) ? [path] : [];
    });

const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const headingsOf = (document: string): readonly string[] =>
  [...read(document).matchAll(/^#+ +(.+?) *$/gm)].map(([, title = '']) => title);
/** The numbers of a document's sections, as `1.6`. */
const sectionsOf = (document: string): readonly string[] =>
  headingsOf(document).flatMap((title) => /^\d+(\.\d+)*/.exec(title)?.[0] ?? []);
/** What a link writes behind `#`: letters, digits, hyphens and underscores of the title, spaces as hyphens. */
const anchorsOf = (document: string): readonly string[] =>
  headingsOf(document).map((title) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );

/** A name that ends in `.md`, then the sections cited: `1.6`, or several with commas and `and`. */
const citation = /([\w./-]*\w\.md)\b`?((?:,? (?:and )?\d+(?:\.\d+)*(?![\w%]))*)/g;

/** Documents are named from the top of the repository, or from the folder of who cites them. */
function citationFaults(file: string, text: string): readonly string[] {
  // A citation may go on in the next line of a comment.
  const joined = text.replaceAll(/\n\s*(\*(?!\/)|\/\/)?[ \t]*/g, ' ');
  return [...joined.matchAll(citation)].flatMap(([, name = '', numbers = '']) => {
    const document = [name, posix.join(dirname(file), name)].find((path) => existsSync(join(root, path)));
    if (document === undefined) return [`${file}: there is no ${name}`];
    const cited: readonly string[] = numbers.match(/\d+(\.\d+)*/g) ?? [];
    const sections = cited.length > 0 ? sectionsOf(document) : [];
    return cited.filter((number) => !sections.includes(number)).map((number) => `${file}: ${name} has no ${number}`);
  });
}

function linkFaults(file: string, text: string): readonly string[] {
  return [...text.matchAll(/\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].flatMap(([, path = '', anchor]) => {
    const target = path === '' ? file : posix.join(dirname(file), path);
    if (!existsSync(join(root, target))) return [`${file}: the link ${path} leads nowhere`];
    const found = anchor === undefined || !target.endsWith('.md') || anchorsOf(target).includes(anchor);
    return found ? [] : [`${file}: ${target} has no heading #${anchor}`];
  });
}

const faultsIn = (file: string, text: string): readonly string[] => [
  ...citationFaults(file, text),
  ...(file.endsWith('.md') ? linkFaults(file, text) : []),
];

it('documents and sections that are cited exist, and links lead somewhere', () => {
  const files = filesIn('');
  expect(files.length).toBeGreaterThan(300);
  expect(files.flatMap((file) => faultsIn(file, read(file)))).toEqual([]);
});

it('a document, a section or a heading that is not there is seen', () => {
  const [page, gone, from] = ['docs/methods.md', `peers.${'md'}`, 'docs/architecture.md'];
  expect(faultsIn('a.ts', `/** Of ${page} 1.6, 3.5\n * and 4.\n */`)).toEqual([]);
  expect(faultsIn('a.ts', `// As ${page}\n// 1.6, 1.99.`)).toEqual([`a.ts: ${page} has no 1.99`]);
  expect(faultsIn(from, `Of ${gone} 5.1`)).toEqual([`${from}: there is no ${gone}`]);
  expect(faultsIn(from, `[a](../README.md#what-you-get) [b](gone) [c](../${page}#gone)`)).toEqual([
    `${from}: the link gone leads nowhere`,
    `${from}: ${page} has no heading #gone`,
  ]);
});

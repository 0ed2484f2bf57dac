/** What the kit shows, and that it stands without this repository's fixtures. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const testing = fileURLToPath(new URL('..', import.meta.url));
const repository = join(testing, '../..');
/** What a file imports or exports from elsewhere. */
const importsOf = (file: string): readonly string[] =>
  [...readFileSync(file, 'utf8').matchAll(/(?:\bfrom |\bimport\(?)\s*'([^']+)'/g)].flatMap(([, name]) => name ?? []);

/** The file and every file of the package that it imports, directly or not. */
function reachable(file: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const name of importsOf(file)) if (name.startsWith('.')) reachable(join(dirname(file), name), seen);
  return seen;
}

/** The names that a package index lists; it holds nothing else. */
const namesOf = (index: string): readonly string[] =>
  [...readFileSync(index, 'utf8').matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap(([, list = '']) =>
    list
      .split(',')
      .map((name) => name.replace(/^\s*type /, '').trim())
      .filter((name) => name !== ''),
  );

describe('@tweedie/testing', () => {
  const index = join(testing, 'src/index.ts');

  it('has at most 50 public names', () => {
    expect(namesOf(index)).toContain('describeGuidance');
    expect(namesOf(index).length).toBeLessThanOrEqual(50);
  });

  it('reads no fixtures', () => {
    const files = [...reachable(index)];
    expect(files).toContain(join(testing, 'src/guidance-kit.ts'));
    const readers = files.filter((file) => /fixtures/i.test(relative(testing, file) + readFileSync(file, 'utf8')));
    expect(readers.map((file) => relative(testing, file))).toEqual([]);
  });

  it('is all that templates use', () => {
    const templates = join(repository, 'templates');
    const files = readdirSync(templates, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.includes('node_modules'))
      .map((name) => join(templates, name));
    expect(files.flatMap(importsOf)).toContain('@tweedie/testing');
    expect(files.flatMap(importsOf)).not.toContain('@tweedie/testing/fixtures');
  });
});

describe('@tweedie/testing/fixtures', () => {
  it('is where the readers of test/fixtures are', () => {
    const index = join(testing, 'src/fixtures/index.ts');
    expect(existsSync(index)).toBe(true);
    expect(namesOf(index)).toContain('fixtureReport');
  });
});

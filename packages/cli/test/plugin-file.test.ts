/** A recipe that names a plugin by its file: that of docs/write-a-plugin.md, in a folder where nothing is installed. */
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { tweedie } from './start.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tweedie-file-')));
afterAll(() => rmSync(folder, { recursive: true }));
const page = readFileSync(join(import.meta.dirname, '../../../docs/write-a-plugin.md'), 'utf8');
const save = (name: string, content: string): void => writeFileSync(join(folder, name), content);
const shown = (name: string): string =>
  new RegExp(`^\`${name}\`\n\n\`\`\`\\w+\n([\\s\\S]*?)\`\`\``, 'm').exec(page)![1]!;
save('my-method.ts', shown('my-method.ts'));
save('one-file.yaml', shown('one-file.yaml'));

const told = `Note: plugins may come from ${join(folder, 'my-method.ts')}, named by the recipe: --no-local-registry refuses it.\n`;
type Row = { readonly label: string; readonly mean: number };
const rows = async (...argv: readonly string[]): Promise<{ err: string; rows: readonly Row[]; drawn: boolean }> => {
  const { out, err } = await tweedie(['compare', 'one-file.yaml', '--json', ...argv], { cwd: folder });
  expect(out, err).not.toBe('');
  return { err, rows: (JSON.parse(out) as { rows: readonly Row[] }).rows, drawn: /^sampling .*my-method/m.test(err) };
};

it('runs it beside others, tells of it, and draws it anew when it, or what it imports, has changed', async () => {
  const first = await rows();
  expect(first.err).toContain(told);
  expect(first.rows.map(({ label }) => label)).toEqual(['my-method', 'none']);
  // The same formula, the same random numbers.
  expect(first.rows[0]!.mean).toBe(first.rows[1]!.mean);
  expect([first.drawn, (await rows()).drawn]).toEqual([true, false]);
  save('half.ts', 'export const half: number = 1;\n');
  save(
    'my-method.ts',
    `import { half } from './half.ts';\n${shown('my-method.ts').replace('noise.mul(std)', 'noise.mul(std).mul(half)')}`,
  );
  expect((await rows()).drawn).toBe(true);
  save('half.ts', 'export const half: number = 0.5;\n');
  const changed = await rows();
  expect(changed.drawn).toBe(true);
  expect(changed.rows[0]!.mean).not.toBe(changed.rows[1]!.mean);
});

it('refuses its code where local registries are refused', async () => {
  expect(await tweedie(['compare', 'one-file.yaml', '--no-local-registry'], { cwd: folder })).toEqual({
    code: 2,
    out: '',
    err: `Error: [one-file.yaml:5 /methods/0] names ${join(folder, 'my-method.ts')}, whose code would run, and local registries are refused. Allow them, or name it in a registry that --registry reads.\n`,
  });
});

it.each([
  [
    'throws',
    "throw new Error('no luck');",
    /^\[\S+bad\.ts\] cannot be imported: no luck\. Correct it, or reinstall it\.$/,
  ],
  [
    'exports nothing',
    'export {};',
    /^\[\S+bad\.ts\] exports no `plugin` that holds a manifest and a factory\. Write: export const plugin = /,
  ],
  [
    'has a wrong manifest',
    "export const plugin = { manifest: { kind: 'guidance', id: 'bad' }, factory: () => ({}) };",
    /^\[\S+bad\.ts plugin\.manifest[^\]]*\] .*"title"/,
  ],
  [
    'claims the id of another',
    "export const plugin = { manifest: { kind: 'guidance', id: 'none', title: 'Bad', options: { type: 'object', additionalProperties: false, properties: {} } }, factory: () => ({}) };",
    /^\[\S+bad\.ts\] guidance\/none is bad\.ts here and @tweedie\/guidance-none in \S+registry\.json\./,
  ],
])('says what is wrong with a file that %s', async (_, code, message) => {
  save('bad.ts', code);
  save('bad.yaml', shown('one-file.yaml').replace('./my-method.ts', './bad.ts'));
  const { code: exit, err } = await tweedie(['plan', 'bad.yaml'], { cwd: folder });
  const [error = ''] = err.split('\n').filter((line) => line.startsWith('Error: '));
  expect([exit, error.slice('Error: '.length)]).toEqual([2, expect.stringMatching(message)]);
});

import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { tweedie } from './start.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-cli-fetch-'));
afterAll(() => rmSync(folder, { recursive: true }));

// A plugin of the user's whose list has one file, and that file where a package puts it.
const manifest = {
  kind: 'dataset',
  id: 'views',
  export: 'views',
  title: 'Views',
  fetch: 'list.json',
  options: { type: 'object', additionalProperties: false, properties: {} },
};
const sha256 = createHash('sha256').update('wave').digest('hex');
const wave = { file: 'wave.jpg', package: 'sea', path: 'usr/share/wave.jpg', sha256 };
mkdirSync(join(folder, 'views'));
mkdirSync(join(folder, 'unpacked/usr/share'), { recursive: true });
for (const [name, content] of [
  ['registry.json', JSON.stringify({ plugins: { 'dataset/views': './views' } })],
  ['views/plugin.json', JSON.stringify(manifest)],
  ['views/list.json', JSON.stringify({ packages: { sea: '1' }, files: [wave] })],
  ['unpacked/usr/share/wave.jpg', 'wave'],
] as const)
  writeFileSync(join(folder, name), content);

const cache = join(folder, 'cache');
const run = (...argv: string[]) => tweedie(argv, { cwd: folder, env: { TWEEDIE_CACHE: cache } });

it('fetch names what is missing, then brings it, then finds it there', async () => {
  const none = await run('fetch', 'dataset/views', '--from', 'views');
  expect(none).toMatchObject({ code: 2, out: '' });
  expect(none.err).toContain(
    `Error: [dataset/views] 1 of 1 files are missing in ${join(cache, 'dataset-views')}:\n  sea 1: wave.jpg: not found\n`,
  );
  const place = join(cache, 'dataset-views');
  expect(await run('fetch', 'views', '--from', 'views', '--from', 'unpacked')).toMatchObject({
    code: 0,
    out: `1 file, 1 of them fetched now, in ${place}\n`,
  });
  expect(readFileSync(join(place, 'wave.jpg'), 'utf8')).toBe('wave');
  expect((await run('fetch', 'views')).out).toBe(`1 file, 0 of them fetched now, in ${place}\n`);
});

it('fetch refuses a plugin that needs nothing, and names those that do; info says what does not ship', async () => {
  expect(await run('fetch', 'dataset/folder')).toEqual({
    code: 2,
    out: '',
    err: `Note: plugins may come from ${join(folder, 'registry.json')}, read unasked: --no-local-registry refuses it.\nError: [dataset/folder] all that this plugin needs ships with it. Files are fetched for: dataset/photographs, dataset/views.\n`,
  });
  expect((await run('info', 'views')).out).toMatch(/^ {2}files +do not ship: npx tweedie fetch dataset\/views$/m);
});

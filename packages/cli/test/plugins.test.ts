/** `tweedie plugins`: the registry of a folder. test/published.js adds one as users do. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { tweedie } from './start.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tweedie-plugins-')));
afterAll(() => rmSync(folder, { recursive: true }));
const work = join(folder, 'work');
const file = join(work, 'registry.json');
mkdirSync(work);
const save = (name: string, content: string | object): void => {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
};
const options = { type: 'object', additionalProperties: false, properties: {} };
const works = 'export const mine = () => ({ better: "lower", compare: () => [0] });';
const make = (place: string, id: string, code = works, own: object = {}): void => {
  save(`${place}/plugin.json`, { kind: 'metric', id, export: 'mine', title: `The metric ${id}`, options });
  const exports = { '.': './index.js', './plugin.json': './plugin.json' };
  save(`${place}/package.json`, { name: place.split('/').at(-1), version: '1.0.0', type: 'module', exports, ...own });
  save(`${place}/index.js`, code);
};
const run = (...argv: readonly string[]) => tweedie(['plugins', ...argv], { cwd: work });
const named = (): unknown => (JSON.parse(readFileSync(file, 'utf8')) as { plugins: unknown }).plugins;

make('checkout', 'theirs');
make('work/inside', 'inside');
make('work/node_modules/tweedie-metric-package', 'packaged');

it('adds folders and packages, lists and removes them; commands in the folder know them', async () => {
  expect(await run('list')).toEqual({ code: 0, err: '', out: `No plugins in ${file}.\n` });
  expect(await run('add', '../checkout')).toEqual({
    code: 0,
    err: '',
    out: `Added metric/theirs, The metric theirs, to ${file}. It runs as code, from ${join(folder, 'checkout')}, whenever a command in this folder uses it.\n`,
  });
  expect((await run('add', 'inside')).code).toBe(0);
  expect((await run('add', 'tweedie-metric-package')).code).toBe(0);
  expect(named()).toEqual({
    'metric/inside': './inside',
    'metric/packaged': 'tweedie-metric-package',
    'metric/theirs': '../checkout',
  });
  expect((await run('add', './inside')).code).toBe(0);
  expect((await run('list')).out).toMatch(
    /^ {2}metric\/inside +\.\/inside +The metric inside\n {2}metric\/packaged +tweedie-metric-package +The .*\n {2}metric\/theirs +\.\.\/checkout +The .*\n$/,
  );
  expect((await tweedie(['info', 'packaged'], { cwd: work })).out).toContain('metric/packaged: The metric packaged');
  for (const name of ['metric/theirs', 'packaged', './inside'])
    expect((await run('remove', name)).out).toMatch(/^Removed metric\/\w+ from \S+registry\.json\.\n$/);
  expect(named()).toEqual({});
});

describe('what cannot be used is refused, and nothing is written', () => {
  make('throws', 'throws', "throw new Error('no luck');");
  make('empty', 'empty', 'export const other = 1;');
  make('taken', 'psnr');
  make('newer', 'newer', works, { peerDependencies: { '@tweedie/core': '^99.0.0' } });
  make('work/node_modules/closed', 'closed', works, { exports: './index.js' });
  save('wrong/plugin.json', { kind: 'metric' });
  mkdirSync(join(folder, 'bare'));
  it.each([
    [
      '../throws',
      /^\[metric\/throws\] the package throws cannot be imported from \S+index\.js: no luck\. Correct it, or reinstall it\.$/,
    ],
    ['../empty', /^\[metric\/empty\] the package empty exports no function mine; it exports other\. /],
    ['../taken', /^\[\.\.\/taken\] metric\/psnr is the name of @tweedie\/metric-psnr\. Give your plugin another id\.$/],
    ['../newer', /^\[\S+package\.json\] needs @tweedie\/core \^99\.0\.0, and this is 0\.\d+\.\d+\. /],
    ['closed', /^\[closed\] the package closed does not export "\.\/plugin\.json"\. /],
    ['../wrong', /^\[\S+wrong\/plugin\.json\] /],
    ['../bare', /^\[\.\.\/bare\] the folder \S+bare has no plugin\.json\. /],
    ['../nowhere', /^\[\.\.\/nowhere\] there is no \S+nowhere\. Give the folder of a plugin\.$/],
    [
      'https://a.b/c.git',
      /^\[https:\S+\] is neither a package nor a folder\. Of a git repository, add the folder of your checkout\.$/,
    ],
  ])('%s', async (target, message) => {
    const before = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
    const { code, out, err } = await run('add', target);
    expect([code, out, err.slice('Error: '.length).trimEnd()]).toEqual([2, '', expect.stringMatching(message)]);
    expect(existsSync(file) ? readFileSync(file, 'utf8') : undefined).toBe(before);
  });

  it('another plugin of the name that the registry has', async () => {
    make('twin', 'theirs');
    await run('add', '../checkout');
    expect((await run('add', '../twin')).err).toBe(
      `Error: [../twin] metric/theirs is ../checkout in ${file}. Run tweedie plugins remove metric/theirs first.\n`,
    );
    expect((await run('remove', 'thiers')).err).toBe(`Error: [thiers] is not in ${file}. Valid: metric/theirs.\n`);
    expect((await run('add')).err).toBe(
      'Error: [plugins add] which plugin is not said. Say tweedie plugins add <plugin>.\n',
    );
  });
});

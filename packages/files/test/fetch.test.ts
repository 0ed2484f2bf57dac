import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type FetchSettings, fetchFiles } from '../src/index.ts';

const base = mkdtempSync(join(tmpdir(), 'tweedie-fetch-test-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let cache = '';
let round = 0;
beforeEach(() => {
  cache = join(base, `cache-${round++}`);
  vi.stubEnv('TWEEDIE_CACHE', cache);
});
afterEach(() => vi.unstubAllEnvs());

const save = (path: string, content: string | Uint8Array): string => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
};
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A Debian package of one version, as a folder into which it is unpacked, and as a .deb file. */
const packaged = (name: string, contents: Readonly<Record<string, string>>): { folder: string; deb: string } => {
  const folder = join(base, `${name}-unpacked`);
  for (const [path, text] of Object.entries(contents)) save(join(folder, path), text);
  const parts = join(base, `${name}-parts`);
  save(join(parts, 'control'), `Package: ${name}\nVersion: 1\nArchitecture: all\nMaintainer: n\nDescription: d\n`);
  execFileSync('tar', ['-czf', 'control.tar.gz', './control'], { cwd: parts });
  execFileSync('tar', ['-czf', join(parts, 'data.tar.gz'), '.'], { cwd: folder });
  const member = (file: string, bytes: Buffer): Buffer =>
    Buffer.concat([
      Buffer.from(
        `${file.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}100644  ${String(bytes.length).padEnd(10)}\`\n`,
      ),
      bytes,
      Buffer.alloc(bytes.length % 2, '\n'),
    ]);
  const deb = save(
    join(base, 'debs', `${name}_1_all.deb`),
    Buffer.concat([
      Buffer.from('!<arch>\n'),
      member('debian-binary', Buffer.from('2.0\n')),
      member('control.tar.gz', readFileSync(join(parts, 'control.tar.gz'))),
      member('data.tar.gz', readFileSync(join(parts, 'data.tar.gz'))),
    ]),
  );
  return { folder, deb };
};

const sea = packaged('sea', {
  'usr/share/sea/wave.jpg': 'wave',
  'usr/share/sea/beach.jpg': 'beach',
  'usr/share/notes': '',
});
const sky = packaged('sky', { 'usr/share/sky.jpg': 'cloud' });
const list = {
  packages: { sea: '1', sky: '1' },
  files: [
    { file: 'train/wave.jpg', package: 'sea', path: 'usr/share/sea/wave.jpg', sha256: sha256('wave') },
    { file: 'test/beach.jpg', package: 'sea', path: 'usr/share/sea/beach.jpg', sha256: sha256('beach') },
    { file: 'test/cloud.jpg', package: 'sky', path: 'usr/share/sky.jpg', sha256: sha256('cloud'), author: 'n' },
  ],
};
save(join(base, 'plugin/list.json'), JSON.stringify(list));
const names = list.files.map(({ file }) => file);

const fetch = (settings?: FetchSettings) =>
  fetchFiles({ kind: 'dataset', id: 'views', folder: join(base, 'plugin'), fetch: 'list.json' }, settings);
const failure = (settings?: FetchSettings) =>
  fetch(settings).then(
    () => 'nothing thrown',
    (error: unknown) => String(error),
  );
const place = (name: string): string => join(cache, 'dataset-views', name);
const kept = (): readonly string[] =>
  existsSync(cache)
    ? readdirSync(cache, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(place('').length + 1))
        .sort()
    : [];

/** A folder that alone is searched for programs: links to those named, and `apt-get` as a script of these lines. */
const onlyPrograms = (programs: readonly string[], apt?: string): void => {
  const folder = join(base, `bin-${round}`);
  mkdirSync(folder);
  for (const program of programs) {
    const found = (process.env['PATH'] ?? '').split(delimiter).map((where) => join(where, program));
    symlinkSync(
      found.find((path) => existsSync(path))!,
      join(folder, program),
    );
  }
  if (apt !== undefined) chmodSync(save(join(folder, 'apt-get'), `#!/bin/sh\n${apt}\n`), 0o755);
  vi.stubEnv('PATH', folder);
};

describe('fetchFiles', () => {
  it('takes files from folders into which packages were unpacked, once', async () => {
    const seen: unknown[] = [];
    const first = await fetch({ from: [sea.folder, sky.folder], onProgress: (progress) => seen.push(progress) });
    expect(first).toEqual({ folder: join(cache, 'dataset-views'), files: names, fetched: names });
    expect(names.map((name) => readFileSync(place(name), 'utf8'))).toEqual(['wave', 'beach', 'cloud']);
    expect(kept()).toEqual([...names].sort());
    expect(seen).toEqual([
      { done: 0, total: 3, label: sea.folder },
      { done: 2, total: 3, label: sky.folder },
    ]);
    expect((await fetch({ from: [join(base, 'plugin')] })).fetched).toEqual([]);
  });

  it('takes them from .deb files, and replaces what is damaged', async () => {
    await fetch({ from: [sea.deb, sky.deb] });
    writeFileSync(place('test/beach.jpg'), 'bea');
    expect((await fetch({ from: [sea.deb] })).fetched).toEqual(['test/beach.jpg']);
    expect(readFileSync(place('test/beach.jpg'), 'utf8')).toBe('beach');
  });

  it('takes .deb files apart without dpkg-deb', async () => {
    onlyPrograms(['tar', 'gzip']);
    expect((await fetch({ from: [sea.deb, sky.deb] })).fetched).toEqual(names);
  });

  it('opens only those .deb files of a folder that hold what is missing', async () => {
    save(join(base, 'debs/forest_1_all.deb'), 'no package');
    expect((await fetch({ from: [dirname(sea.deb)] })).fetched).toEqual(names);
  });

  it('names what is missing, by package, and keeps the rest', async () => {
    expect(await failure({ from: [sky.folder] })).toBe(
      `ConfigError: [dataset/views] 2 of 3 files are missing in ${place('')}:\n` +
        '  sea 1: train/wave.jpg, test/beach.jpg: not found\n' +
        ' Name .deb files of these packages and versions with --from, or folders that hold them.',
    );
    expect(kept()).toEqual(['test/cloud.jpg']);
  });

  it('refuses files of another version, and takes those that have not changed', async () => {
    const other = packaged('sea-of-next-year', {
      'usr/share/sea/wave.jpg': 'wave',
      'usr/share/sea/beach.jpg': 'pebbles',
    });
    expect(await failure({ from: [sky.deb, other.deb] })).toContain('1 of 3 files are missing');
    expect(await failure({ from: [other.deb] })).toContain(
      '  sea 1: test/beach.jpg: other files, by their SHA-256, in sea-of-next-year_1_all.deb\n',
    );
    expect(kept()).toEqual(['test/cloud.jpg', 'train/wave.jpg']);
  });

  it('says what is wrong with what it is given', async () => {
    expect(await failure({ from: [join(base, 'gone')] })).toBe(
      `ConfigError: [${join(base, 'gone')}] does not exist. Correct the path given with --from.`,
    );
    const text = save(join(base, 'text.deb'), 'hello');
    const cut = save(join(base, 'cut.deb'), readFileSync(sea.deb).subarray(0, -200));
    for (const file of [text, cut]) {
      const said = await failure({ from: [file] });
      expect(said).toContain(`ConfigError: [${file}] cannot be unpacked as a Debian package (`);
      expect(said).toContain('Check that the file is whole, or unpack it yourself');
    }
    onlyPrograms(['tar', 'gzip']);
    expect(await failure({ from: [text] })).toContain('(it does not begin with !<arch>)');
    expect(await failure({ from: [cut] })).toContain('(it is cut short)');
    save(join(base, 'plugin/wrong.json'), JSON.stringify({ ...list, files: [{ ...list.files[0], file: '../up' }] }));
    const wrong = { kind: 'dataset', id: 'views', folder: join(base, 'plugin'), fetch: 'wrong.json' };
    await expect(fetchFiles(wrong)).rejects.toThrow(`${join(base, 'plugin/wrong.json')} /files/0/file`);
    expect(kept()).toEqual([]);
  });

  it('leaves nothing half written where it cannot write', async () => {
    save(join(cache, 'dataset-views'), 'a file in place of the folder');
    expect(await failure({ from: [sea.folder] })).toMatch(/wave\.jpg\] cannot be written \(E.*TWEEDIE_CACHE\.$/);
    expect(readdirSync(cache)).toEqual(['dataset-views']);
  });

  it('stops when it is told to, and keeps what was done', async () => {
    const stop = new AbortController();
    const settings = { from: [sea.folder, sky.folder], signal: stop.signal, onProgress: () => stop.abort() };
    expect(await failure(settings)).toBe('CancelledError: Stopped. What had been fetched is kept.');
    expect(kept()).toEqual(['test/beach.jpg', 'train/wave.jpg']);
  });
});

describe('through apt', () => {
  /** What is asked of `apt-get`, without the names of temporary folders. */
  const log = () =>
    readFileSync(join(base, `apt-${round}`), 'utf8')
      .replaceAll(/[^\s=]+tweedie-fetch-\d[^/\s]+/g, 'TMP')
      .trim();
  const noted = () => `echo "$@" >> ${join(base, `apt-${round}`)}`;

  it('downloads the packages that are needed, in the version of the list', async () => {
    onlyPrograms(['tar', 'gzip', 'cp'], `${noted()}; cp ${dirname(sea.deb)}/\${3%=1}_1_all.deb .`);
    expect((await fetch()).fetched).toEqual(names);
    expect(log()).toBe('-q download sea=1\n-q download sky=1');
  });

  it('fetches lists of its own where those of the system lack a package, once', async () => {
    const apt = `${noted()}; case "$*" in *update) exit 0;; -o*=1) cp ${dirname(sea.deb)}/\${7%=1}_1_all.deb .;; *) exit 100;; esac`;
    onlyPrograms(['tar', 'gzip', 'cp'], apt);
    expect((await fetch()).fetched).toEqual(names);
    const own = '-o Dir::State=TMP/state -o Dir::Cache=TMP/cache -q';
    expect(log().split('\n')).toEqual([
      '-q download sea=1',
      '-q download sea',
      `${own} update`,
      `${own} download sea=1`,
      `${own} download sky=1`,
    ]);
  });

  it('goes on with the other packages, and tells what apt said of one', async () => {
    const apt = `case "$*" in *sky=1) cp ${sky.deb} .;; *) echo 'W: noise' >&2; echo "E: Unable to locate $3" >&2; exit 100;; esac`;
    onlyPrograms(['tar', 'gzip', 'cp'], apt);
    expect(await failure()).toContain('  sea 1: train/wave.jpg, test/beach.jpg: E: Unable to locate ');
    expect(kept()).toEqual(['test/cloud.jpg']);
  });

  it('says what it needs on a machine without apt', async () => {
    onlyPrograms([]);
    expect(await failure()).toBe(
      `ConfigError: [dataset/views] 3 of 3 files are missing in ${place('')}:\n` +
        '  sea 1: train/wave.jpg, test/beach.jpg: this machine has no apt-get\n' +
        '  sky 1: test/cloud.jpg: this machine has no apt-get\n' +
        ' Name .deb files of these packages and versions with --from, or folders that hold them.',
    );
  });
});

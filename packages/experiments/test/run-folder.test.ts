import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { compare, openResults, openStore, report, type Comparison, type ExperimentInput } from '../src/index.ts';

const recipe: ExperimentInput = {
  model: { id: 'gmm', options: { shape: [12, 12, 1], smooth: { length: 2, std: 0.5 } } },
  images: { from: 'prior', count: 3 },
  operators: ['identity'],
  sigmaY: 0.2,
  methods: ['none', 'exact'],
  scheduler: { id: 'ddpm', options: { steps: 5 } },
  metrics: ['psnr'],
  engine: 'eager',
  samples: 2,
  chunk: 4,
};
const newFolder = (): string => join(mkdtempSync(join(tmpdir(), 'tweedie-folder-')), 'run');
const messageOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no error',
    (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : String(error)),
  );
const scores = ({ json: { rows, misfit } }: Comparison) => ({ rows, misfit });
const flip = (path: string, byte: number): void => {
  const bytes = readFileSync(path);
  const at = (byte + bytes.length) % bytes.length;
  bytes[at] = bytes[at]! ^ 0x40;
  writeFileSync(path, bytes);
};
/** The number of a process that has ended. */
const dead = (): number => spawnSync(process.execPath, ['--version']).pid;

let said: string[] = [];
beforeEach(() => {
  said = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0);
});
afterEach(() => vi.restoreAllMocks());

describe('a sample with one flipped bit', () => {
  const damageAll = (folder: string): readonly string[] => {
    const paths = readdirSync(join(folder, 'samples')).map((name) => join(folder, 'samples', name));
    for (const path of paths) flip(path, -1);
    return paths;
  };
  const messages = (paths: readonly string[]): readonly string[] =>
    paths
      .map(
        (path) =>
          `Warning: [${path}] is damaged and counts as not drawn: the command of the run draws this sample again.\n`,
      )
      .sort();

  it('is named, drawn again, and not scored by a metric that is added', async () => {
    const folder = newFolder();
    await compare({ recipe, out: folder });
    const paths = damageAll(folder);
    const added = { ...recipe, metrics: ['psnr', 'ssim'] };
    const mended = await compare({ recipe: added, out: folder });
    expect(said.sort()).toEqual(messages(paths));
    expect(scores(mended)).toEqual(scores(await compare({ recipe: added, out: newFolder() })));
    said = [];
    await report(folder);
    expect(said).toEqual([]);
  });

  it('does not count in a report, which names it', async () => {
    const folder = newFolder();
    await compare({ recipe, out: folder });
    const paths = damageAll(folder);
    expect((await report(folder)).table).toContain('(unfinished: 0 of 12 samples)');
    expect(said.sort()).toEqual(messages(paths));
  });

  it('is not given to who reads it', async () => {
    const folder = newFolder();
    await compare({ recipe, out: folder });
    const [path = ''] = damageAll(folder);
    const results = await openResults(folder);
    const key = path.split('/').at(-1)!.replace('.safetensors', '');
    expect(await messageOf(results.readSample(key))).toBe(
      `ConfigError: [${path}] no longer holds the sample that was stored there. Run the command of the run again: it draws this sample anew.`,
    );
    results.close();
  });
});

it('a second comparison of this process is refused a folder that is in use, whatever the path', async () => {
  const folder = newFolder();
  mkdirSync(folder);
  const link = join(dirname(folder), 'link');
  symlinkSync(folder, link);
  const done = await Promise.allSettled([folder, link, folder].map((out) => compare({ recipe, out })));
  const [refused, other] = done.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
  for (const each of [refused, other]) {
    expect(String(each?.reason)).toMatch(
      /^ConfigError: \[.*(run|link)\] a comparison or search of this process is using this run folder\. Wait for it to end, or choose another folder/,
    );
  }
  const [finished] = done.filter((each) => each.status === 'fulfilled');
  expect(finished?.value.table).not.toContain('unfinished');
  expect(scores(await compare({ recipe, out: link }))).toEqual(scores(finished!.value));
});

describe('results that are damaged', () => {
  it.each([
    ['in the first header', 50, 'Corrupt database file'],
    ['in both later headers', 4100, 'Corrupt database file'],
    ['cut', -20_000, 'Could not read enough bytes'],
  ])('%s are called so, not another process', async (_, place, what) => {
    const folder = newFolder();
    await compare({ recipe, out: folder });
    const path = join(folder, 'results.duckdb');
    if (place < 0) writeFileSync(path, readFileSync(path).subarray(0, 9000));
    else flip(path, place);
    if (place > 4096) flip(path, place + 4096);
    const message = new RegExp(
      `^ConfigError: \\[${path}\\] cannot be read as results, it is damaged: ${what}.* Move it away and run the command of the run again, which draws all samples again; or choose another folder`,
    );
    expect(await messageOf(compare({ recipe, out: folder }))).toMatch(message);
    expect(await messageOf(report(folder))).toMatch(message);
  });

  it('in a table are called so when they are read', async () => {
    const folder = newFolder();
    await compare({ recipe, out: folder });
    const path = join(folder, 'results.duckdb');
    const length = statSync(path).size;
    for (let place = 12288 + 100; place < length; place += 4096) flip(path, place);
    expect(await messageOf(report(folder))).toMatch(/cannot be read as results, it is damaged: .*orrupt/);
  });
});

describe('what a killed process leaves', () => {
  it('half a file, is swept by the next comparison', async () => {
    const folder = newFolder();
    mkdirSync(join(folder, 'samples'), { recursive: true });
    const [gone, alive] = [dead(), process.ppid];
    const left = [`results.duckdb.${gone}.partial`, `samples/a.safetensors.${gone}.partial`];
    const kept = `report.html.${alive}.partial`;
    for (const name of [...left, kept]) writeFileSync(join(folder, name), 'half');
    (await openStore(folder)).close();
    expect(left.filter((name) => existsSync(join(folder, name)))).toEqual([]);
    expect(readdirSync(folder).sort()).toEqual([kept, 'results.duckdb', 'samples']);
  });

  it('a full disk too: the database is there whole or not at all', async () => {
    const folder = newFolder();
    const child = join(import.meta.dirname, 'compare-child.ts');
    const options = ['--conditions=@tweedie/source', '--import', import.meta.resolve('tsx')];
    const parts = [process.execPath, ...options, child, JSON.stringify({ recipe, out: folder })];
    // Files of 100 kB at most: less than a database of these tables takes.
    const { stderr } = spawnSync('bash', ['-c', 'ulimit -f 100; exec "$@"', 'bash', ...parts], { encoding: 'utf8' });
    expect(stderr).toMatch(/ConfigError: \[.*results\.duckdb\] cannot be written: .*Free some space/);
    expect(readdirSync(folder)).toEqual([]);
    expect((await compare({ recipe, out: folder })).json.failures).toEqual([]);
  });
});

describe('report', () => {
  /** All that is in a folder: sizes, times and content. */
  const look = (folder: string): readonly string[] =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .sort()
      .map((name) => {
        const path = join(folder, name);
        const { mtimeMs, size } = statSync(path);
        const hash = statSync(path).isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : '';
        return [name, mtimeMs, size, hash].join(' ');
      });

  it('only reads, where the page goes elsewhere', async () => {
    const folder = newFolder();
    const { table } = await compare({ recipe, out: folder });
    const before = look(folder);
    const out = join(dirname(folder), 'elsewhere', 'page.html');
    const again = await report(folder, { out });
    expect(again.table).toBe(table);
    expect(again.report).toBe(out);
    expect(readFileSync(out, 'utf8')).toContain('<html');
    expect(look(folder)).toEqual(before);
  });

  it('says that there are no results, or no folder', async () => {
    const folder = newFolder();
    const message = `ConfigError: [${folder}] has no results: results.duckdb is not there. Run the command of the run again.`;
    expect(await messageOf(openResults(folder))).toBe(message);
    mkdirSync(folder);
    expect(await messageOf(openResults(folder))).toBe(message);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('says where the page could go when the folder cannot take it', async () => {
    const folder = newFolder();
    await compare({ recipe, out: folder });
    rmSync(join(folder, 'report.html'));
    mkdirSync(join(folder, 'report.html'));
    expect(await messageOf(report(folder))).toBe(
      `ConfigError: [${join(folder, 'report.html')}] cannot be written: it is a folder, a file is wanted. Say with --out where the page is to go, for example --out report.html.`,
    );
  });

  it('reads beside a comparison of another process, and touches nothing there', async () => {
    const folder = newFolder();
    const child = join(import.meta.dirname, 'compare-child.ts');
    const options = ['--conditions=@tweedie/source', '--import', import.meta.resolve('tsx')];
    const started = spawn(process.execPath, [...options, child, JSON.stringify({ recipe, out: folder })]);
    let [output, stopped] = ['', false];
    const finished = new Promise((resolve) => started.on('close', resolve));
    await new Promise<void>((resolve) =>
      started.stdout.on('data', (text: Buffer) => {
        output += text.toString();
        // Both chunks of the first method are stored by the first step of the second.
        if (stopped || !/sampling (3[2-9]|[45]\d) of/.test(output)) return;
        stopped = started.kill('SIGSTOP');
        resolve();
      }),
    );
    const before = look(folder);
    const { table } = await report(folder, { out: join(dirname(folder), 'page.html') });
    expect(table).toMatch(/\(unfinished: \d+ of 12 samples\)/);
    expect(look(folder)).toEqual(before);
    started.kill('SIGCONT');
    await finished;
    expect(output).toContain('finished');
    expect((await report(folder)).table).not.toContain('unfinished');
  }, 60_000);

  it('shows what has finished while a comparison of this process goes on, which keeps its lock', async () => {
    const folder = newFolder();
    const seen: Promise<Comparison>[] = [];
    const child = join(import.meta.dirname, 'compare-child.ts');
    const options = ['--conditions=@tweedie/source', '--import', import.meta.resolve('tsx')];
    let refused = '';
    const { table } = await compare({
      recipe,
      out: folder,
      onProgress: ({ phase, done }) => {
        if (phase !== 'sampling' || done < 45 || seen.length > 0) return;
        seen.push(report(folder, { out: join(dirname(folder), 'page.html') }));
        refused = spawnSync(process.execPath, [...options, child, JSON.stringify({ recipe, out: folder })], {
          encoding: 'utf8',
        }).stderr;
      },
    });
    expect((await seen[0])?.table).toMatch(/\(unfinished: \d+ of 12 samples\)/);
    expect(refused).toContain(`another process (PID ${process.pid}) is using this run folder`);
    expect(table).not.toContain('unfinished');
    expect((await report(folder)).table).toBe(table);
  });
});

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
import { DuckDBInstance } from '@duckdb/node-api';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { decodeSafetensors, encodeSafetensors, safetensorsMetadata } from '@tweedie/core';
import {
  compare,
  openResults,
  openStore,
  report,
  type Cell,
  type Comparison,
  type ExperimentInput,
} from '../src/index.ts';

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
  /** Flips a bit of the last sample of each file: which one that is, by file. */
  const damage = (folder: string): ReadonlyMap<string, string> =>
    new Map(
      readdirSync(join(folder, 'samples')).map((name) => {
        const path = join(folder, 'samples', name);
        const sample = [...decodeSafetensors(readFileSync(path)).keys()].at(-1)!;
        const { images } = safetensorsMetadata(readFileSync(path));
        const [problem = '', which] = sample.split('/');
        flip(path, -1);
        return [path, `${which} of ${(JSON.parse(images!) as Record<string, string>)[problem]}`];
      }),
    );
  const messages = (damaged: ReadonlyMap<string, string>): readonly string[] =>
    [...damaged]
      .map(
        ([path, sample]) =>
          `Warning: [${path}] is damaged, and counts as not drawn: ${sample}. The command of the run draws that again.\n`,
      )
      .sort();

  it('is named, drawn again, and not scored by a metric that is added', async () => {
    const folder = newFolder();
    await compare({ recipe, out: folder });
    const damaged = damage(folder);
    const added = { ...recipe, metrics: ['psnr', 'ssim'] };
    const mended = await compare({ recipe: added, out: folder });
    expect(said.sort()).toEqual(messages(damaged));
    expect(scores(mended)).toEqual(scores(await compare({ recipe: added, out: newFolder() })));
    said = [];
    await report(folder);
    expect(said).toEqual([]);
  });

  it('does not count in a report, which names it', async () => {
    const folder = newFolder();
    await compare({ recipe, out: folder });
    const damaged = damage(folder);
    expect((await report(folder)).table).toContain('(unfinished: 8 of 12 samples)');
    expect(said.sort()).toEqual(messages(damaged));
  });

  it('is not given to who reads it', async () => {
    const folder = newFolder();
    await compare({ recipe, out: folder });
    const sound = await openResults(folder);
    const cells = [...(await sound.cells()).values()];
    sound.close();
    damage(folder);
    const results = await openResults(folder);
    const left = await results.cells();
    const lost = cells.filter(({ key }) => !left.has(key));
    expect(lost).toHaveLength(4);
    for (const { key, file } of lost) {
      expect(await messageOf(results.readSample(key))).toBe(
        `ConfigError: [${join(folder, 'samples', `${file}.safetensors`)}] no longer holds the sample that was stored there. Run the command of the run again: it draws this sample anew.`,
      );
    }
    for (const key of left.keys()) expect(await results.readSample(key)).toHaveLength(144);
    results.close();
  });
});

describe('samples', () => {
  it('are in one file for each row and chunk, named by problem and sample', async () => {
    const folder = newFolder();
    await compare({ recipe, out: folder });
    const results = await openResults(folder);
    const cells = [...(await results.cells()).values()];
    const files = readdirSync(join(folder, 'samples'));
    // 2 rows of 6 samples, in chunks of 4.
    expect(files).toHaveLength(2 * 2);
    for (const name of files) {
      const bytes = readFileSync(join(folder, 'samples', name));
      const own = cells.filter(({ file }) => `${file}.safetensors` === name);
      const tensors = decodeSafetensors(bytes);
      expect([...tensors.keys()].sort()).toEqual(own.map((cell) => `${cell.problem}/sample ${cell.sample}`).sort());
      for (const { key, problem, sample } of own) {
        const { data, shape } = tensors.get(`${problem}/sample ${sample}`)!;
        expect(shape).toEqual([12, 12, 1]);
        expect(data).toEqual(await results.readSample(key));
      }
      const { images, ...row } = safetensorsMetadata(bytes);
      const [{ label, method }] = own as [Cell];
      expect(row).toEqual({ operator: 'identity', sigmaY: '0.2', method, label });
      expect(JSON.parse(images!)).toEqual(Object.fromEntries(own.map(({ problem, image }) => [problem, image])));
    }
    results.close();
  });

  it('of an older run folder, one file each, are shown, kept and added to', async () => {
    const folder = newFolder();
    const before = await compare({ recipe, out: folder });
    const store = await openResults(folder);
    const cells = [...(await store.cells()).values()];
    const samples = await Promise.all(cells.map(({ key }) => store.readSample(key)));
    store.close();
    rmSync(join(folder, 'samples'), { recursive: true });
    mkdirSync(join(folder, 'samples'));
    for (const [i, { key }] of cells.entries()) {
      const x = { dtype: 'F32', shape: [12, 12, 1], data: samples[i]! } as const;
      writeFileSync(join(folder, 'samples', `${key}.safetensors`), encodeSafetensors(new Map([['x', x]])));
    }
    const instance = await DuckDBInstance.create(join(folder, 'results.duckdb'));
    const connection = await instance.connect();
    for (const sql of [
      'CREATE TABLE old AS SELECT * EXCLUDE (file) FROM cells',
      'DROP TABLE cells',
      'ALTER TABLE old RENAME TO cells',
      'ALTER TABLE cells ADD PRIMARY KEY (key)',
      "UPDATE meta SET value = '1' WHERE name = 'version'",
    ])
      await connection.run(sql);
    connection.closeSync();
    instance.closeSync();

    expect((await report(folder)).table).toBe(before.table);
    expect((await compare({ recipe, out: folder })).json).toEqual(before.json);
    const more = await compare({ recipe: { ...recipe, samples: 3 }, out: folder });
    expect(readdirSync(join(folder, 'samples'))).toHaveLength(12 + 2);
    expect(scores(more)).toEqual(scores(await compare({ recipe: { ...recipe, samples: 3 }, out: newFolder() })));
    expect((await report(folder)).table).toBe(more.table);
    expect(said.filter((line) => !line.includes('is the run folder of'))).toEqual([]);
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

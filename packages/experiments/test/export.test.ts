import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { decodeSafetensors } from '@tweedie/core';
import { DuckDBInstance } from '@duckdb/node-api';
import { parseHTML } from 'linkedom';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { latexTables, latexText } from '../src/export/tables.ts';
import { compare, type ComparisonJson, type ExperimentInput, exportRun } from '../src/index.ts';
import { readIndex } from '../src/run/run-index.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-export-'));
afterAll(() => rmSync(folder, { recursive: true }));

const recipe: ExperimentInput = {
  title: 'Two & three',
  model: {
    id: 'gmm',
    options: {
      shape: [1, 2, 1],
      means: [
        [-1, 0],
        [1, 0.5],
      ],
      variances: [0.1, 0.1],
    },
  },
  images: { from: 'prior', count: 3 },
  operators: [{ id: 'inpaint', label: 'inpaint 50 %', options: { pattern: 'random', rate: 0.5 } }],
  sigmaY: 0.3,
  methods: [
    { id: 'dps', label: 'DPS_1', options: { scale: 0.1 } },
    { id: 'dps', label: 'diverges', options: { scale: 1e30, form: 'paper' } },
    'exact',
  ],
  scheduler: { id: 'ddpm', options: { steps: 20 } },
  engine: 'eager',
  metrics: ['psnr'],
  samples: 2,
};
const run = join(folder, 'run');
const paper = join(folder, 'it is "mine"');
const markdown = `table.${'md'}`;
let json: ComparisonJson;
let files: readonly string[];
const read = (name: string): string => readFileSync(join(paper, name), 'utf8');

beforeAll(async () => {
  ({ json } = await compare({ recipe, out: run }));
  ({ files } = await exportRun(run, { out: paper }));
});

it('writes what it says, and nothing into the run folder', () => {
  expect(files.every((file) => existsSync(file))).toBe(true);
  expect(files.map((file) => basename(file)).slice(0, 8)).toEqual([
    'table.tex',
    markdown,
    'measures.csv',
    'cells.csv',
    'cells.parquet',
    '01-inpaint-50-DPS_1.safetensors',
    '02-inpaint-50-diverges.safetensors',
    '03-inpaint-50-exact.safetensors',
  ]);
  expect(readdirSync(run).sort()).toEqual(expect.not.arrayContaining(['export']));
});

describe('tables', () => {
  it('have the numbers of the comparison, n and interval in the caption, and the hash of the recipe', () => {
    const { mean, ci95 } = json.rows.find(({ label }) => label === 'DPS_1')!;
    const half = ((ci95![1] - ci95![0]) / 2).toFixed(2);
    const lineOf = (name: string) =>
      read(name)
        .split('\n')
        .find((line) => line.includes('DPS\\_1'));
    expect(lineOf('table.tex')).toContain(` & $${mean.toFixed(2)} \\pm ${half}$ & $`);
    expect(lineOf(markdown)).toContain(` | ${mean.toFixed(2)} ± ${half} |`);
    // The samples of an image are two: distances are told, and nothing is bold for them.
    expect(read('table.tex')).toContain('sliced W1 (iid = 1)');
    expect(read('table.tex')).toContain('no row is bold: the posterior is known');
    expect(read('table.tex')).not.toMatch(/[^\\]%.*&/);
    expect(read('table.tex')).toContain('\\caption{Two \\& three: inpaint 50 \\%, sigmaY 0.3. Mean over n = 3 images');
    const [, hash] = /recipe ([0-9a-f]{16})$/m.exec(read('table.tex'))!;
    expect(read(markdown)).toContain(`recipe ${hash}`);
    expect(readIndex(run).provenance.find(({ name }) => name === 'recipe')?.value).toMatch(`sha256 ${hash}`);
  });

  it('set no tie in bold', () => {
    const row = (label: string, best: boolean) => ({
      ...readIndex(run).rows[0]!,
      label,
      metrics: new Map([['psnr', { n: 3, mean: 20, ci95: 1, perImage: [], best }]]),
      finished: 6,
      failed: [],
    });
    const [tie, won] = [false, true].map((best) => latexTables(readIndex(run), [row('a', best), row('b', false)]));
    expect(tie).not.toContain('\\mathbf');
    expect(won).toContain('a & $\\mathbf{20.00} \\pm 1.00$');
    expect(won!.match(/\\mathbf/g)).toHaveLength(1);
  });

  it('escape what LaTeX takes for commands', () => {
    expect(latexText('50 % of a_b & {c} \\d $e #1 ~^ ↑')).toBe(
      '50 \\% of a\\_b \\& \\{c\\} \\textbackslash{}d \\$e \\#1 \\textasciitilde{}\\textasciicircum{} $\\uparrow$',
    );
  });
});

it('has a line for each sample, in CSV and in Parquet alike, with its score and its failure', async () => {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const lines = async (name: string) => {
    const path = join(paper, name).replaceAll("'", "''");
    return (await connection.runAndReadAll(`SELECT * FROM '${path}'`)).getRowObjectsJS();
  };
  const parquet = await lines('cells.parquet');
  expect(parquet).toHaveLength(18);
  const plain = (rows: typeof parquet) =>
    rows.map(({ label, image, sample, status, psnr }) => [label, image, Number(sample), status, psnr]);
  expect(plain(await lines('cells.csv'))).toEqual(plain(parquet));
  const failed = parquet.filter(({ label }) => label === 'diverges');
  expect(failed.map(({ status, psnr }) => [status, psnr])).toEqual(new Array(6).fill(['failed', null]));
  expect(String(failed[0]!['failure'])).toMatch(/^step \d+: /);
  // The table's mean is that of the lines: all images have as many samples.
  const scores = parquet.filter(({ label }) => label === 'exact').map(({ psnr }) => Number(psnr));
  const stored = json.rows.find(({ label }) => label === 'exact')!.mean;
  expect(scores.reduce((sum, value) => sum + value, 0) / 6).toBeCloseTo(stored, 10);
  connection.closeSync();
  instance.closeSync();
});

it('has the samples of a row in one file, with image and measurement; NaN where one failed', () => {
  const tensors = (name: string) =>
    decodeSafetensors(readFileSync(join(paper, 'samples', `${name}.safetensors`)), name);
  const exact = tensors('03-inpaint-50-exact');
  expect([...exact].map(([name, { shape }]) => [name, shape])).toEqual(
    expect.arrayContaining([
      ['samples', [3, 2, 1, 2, 1]],
      ['x0', [3, 1, 2, 1]],
      ['y', [3, 1, 2, 1]],
    ]),
  );
  expect([...exact.get('samples')!.data].every((value) => Number.isFinite(Number(value)))).toBe(true);
  const failed = tensors('02-inpaint-50-diverges').get('samples')!;
  expect([...failed.data].every((value) => Number.isNaN(Number(value)))).toBe(true);
});

it('has every figure of the report as SVG that stands alone', () => {
  const figures = files.filter((file) => file.endsWith('.svg')).map((file) => readFileSync(file, 'utf8'));
  const { document } = parseHTML(readFileSync(join(run, 'report.html'), 'utf8'));
  expect(figures).toHaveLength(document.querySelectorAll('figure svg.plot').length);
  expect(figures.length).toBeGreaterThan(1);
  for (const svg of figures) {
    expect(svg).toMatch(
      /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/,
    );
    expect(svg).not.toMatch(/var\(--|class="|&nbsp;|currentColor"[^>]*currentColor"/);
  }
});

it('names the lines of a figure inside it, as the page does beside it', async () => {
  const swept = { ...recipe, methods: [{ id: 'dps', label: 'DPS', options: { scale: [0.1, 0.2] } }] };
  await compare({ recipe: swept, out: join(folder, 'swept') });
  const { files: written } = await exportRun(join(folder, 'swept'));
  const [sweep] = written.filter((file) => /against-scale.*\.svg$/.test(file));
  expect(readFileSync(sweep!, 'utf8')).toMatch(/stroke="#2f7ed8"[^>]*\/><text [^>]*>DPS<\/text><\/g><\/svg>\n$/);
});

const numpy = spawnSync('python3', ['-c', 'import numpy']).status === 0;
it.skipIf(!numpy)('is read by Python in the three lines that the README has', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, code] = /with NumPy alone:\n\n```python\n([\s\S]*?)```/.exec(readme)!;
  expect(code!.trim().split('\n')).toHaveLength(3);
  const path = join(paper, 'samples/03-inpaint-50-exact.safetensors');
  const program = code!.replaceAll("'paper/samples/01-identity-dps.safetensors'", JSON.stringify(path));
  const printed = execFileSync('python3', [
    '-c',
    `${program}\nprint(json.dumps([samples.shape, samples.ravel().tolist()]))`,
  ]);
  const [shape, values] = JSON.parse(String(printed)) as [number[], number[]];
  const stored = decodeSafetensors(readFileSync(path), path).get('samples')!;
  expect(shape).toEqual(stored.shape);
  expect(values).toEqual(Array.from(stored.data, Number));
  // Every SVG is XML.
  for (const file of files.filter((each) => each.endsWith('.svg')))
    execFileSync('python3', ['-c', `import xml.dom.minidom; xml.dom.minidom.parse(${JSON.stringify(file)})`]);
});

it('says what is wrong with a folder that is no run, or a place that cannot be written', async () => {
  await expect(exportRun(join(folder, 'nothing'))).rejects.toThrow(/does not exist\./);
  await expect(exportRun(folder)).rejects.toThrow(/is not the folder of a run: it has no run\.json\./);
  const there = join(run, 'run.json');
  await expect(exportRun(run, { out: there })).rejects.toThrow(/cannot be written.*Choose another folder with --out\./);
});

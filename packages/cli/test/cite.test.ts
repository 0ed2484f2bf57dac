/** `tweedie cite` and `tweedie list --cite`. */
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Manifest } from '@tweedie/core/registry';
import { afterAll, expect, it } from 'vitest';
import { bibliography } from '../src/bibliography.ts';
import { tweedie } from './start.ts';

const root = join(import.meta.dirname, '../../..');
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tweedie-cite-')));
afterAll(() => rmSync(folder, { recursive: true }));

const recipe = `model: { id: gmm, options: { shape: [12, 12, 3], smooth: { length: 2, std: 0.5 } } }
images: { from: prior, count: 1 }
operators: [colorize]
sigmaY: 0.1
methods: [none, exact]
scheduler: { id: ddim, options: { steps: 3 } }
metrics: [psnr, ssim]
`;
const usedLines = (out: string): readonly string[] => out.split('\n').filter((line) => line.startsWith('%'));

it('gives the BibTeX of what a recipe names, each entry once, and says what has no source', async () => {
  writeFileSync(join(folder, 'mine.yaml'), recipe);
  const { code, out, err } = await tweedie(['cite', 'mine.yaml'], { cwd: folder });
  expect([code, err]).toEqual([0, '']);
  expect(usedLines(out)).toEqual([
    '% Tweedie',
    '% operator/colorize: Appendix B.3.4',
    expect.stringMatching(/^% guidance\/exact: Propositions 4\.1 and 4\.2/),
    '% scheduler/ddim: Equations 12, 16',
    '% engine/onnxruntime',
    '% metric/ssim: Section III.B',
    '% without a source: model/gmm, guidance/none, metric/psnr',
  ]);
  expect(out.match(/^@article\{bellchambers2025exploiting,\n {2}title = \{.*\},\n/gm)).toHaveLength(1);
});

it('gives the same of a run of it', async () => {
  const run = await tweedie(['compare', 'mine.yaml', '--out', 'run', '--json'], { cwd: folder });
  expect(run.code).toBe(0);
  const of = async (what: string) => usedLines((await tweedie(['cite', what], { cwd: folder })).out).toSorted();
  const [entries, fromRecipe] = [await of('run'), await of('mine.yaml')];
  // The order of the last line alone is another one.
  expect(entries.slice(0, 5)).toEqual(fromRecipe.slice(0, 5));
  expect(entries).toHaveLength(fromRecipe.length);
});

it('names the data set of a prior', async () => {
  const { out } = await tweedie(['cite', join(root, 'recipes/emoji.yaml')], { cwd: folder });
  expect(usedLines(out)).toContain('% dataset/emoji');
});

it('refuses what is neither a recipe nor a run', async () => {
  expect(await tweedie(['cite', '.'], { cwd: folder })).toMatchObject({
    code: 2,
    err: 'Error: [.] is not the folder of a run: it has no run.json. Give the folder that tweedie compare wrote, for example runs/quickstart-1a2b3c4d.\n',
  });
  expect((await tweedie(['cite', 'nowhere.yaml'], { cwd: folder })).code).toBe(2);
});

it('of all plugins has no key twice', async () => {
  const { out } = await tweedie(['list', '--cite']);
  const keys = [...out.matchAll(/^@\w+\{([^,]+),$/gm)].map(([, key]) => key);
  expect(keys.length).toBeGreaterThan(10);
  expect(keys).toEqual([...new Set(keys)]);
  expect(usedLines((await tweedie(['list', 'scheduler', '--cite'])).out)).toHaveLength(5);
});

it('makes an entry of a place, and says what no registry has', () => {
  const manifest = { kind: 'metric', id: 'mine', title: 'Mine', source: { arxiv: '2501.00001', url: 'https://a.b' } };
  expect(bibliography('1.2.3', [manifest as unknown as Manifest], ['metric/gone'])).toBe(`% Tweedie
@misc{tweedie,
  title = {Tweedie: training-free guidance of diffusion models on inverse problems, compared fairly},
  author = {{The Tweedie authors}},
  note = {Version 1.2.3},
}

% metric/mine
@misc{metric-mine,
  title = {Mine},
  eprint = {2501.00001},
  archivePrefix = {arXiv},
  howpublished = {\\url{https://a.b}},
}

% in no registry that was read: metric/gone`);
});

it('says of Tweedie what CITATION.cff says', () => {
  expect(existsSync(join(root, 'CITATION.cff'))).toBe(true);
  const [, title] = /^title: '(.*)'$/m.exec(readFileSync(join(root, 'CITATION.cff'), 'utf8'))!;
  expect(bibliography('0', [])).toContain(`title = {${title}},`);
});

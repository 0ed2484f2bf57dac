import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { tweedie } from './start.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-problems-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('exports the problems of a recipe, without the truth on request', async () => {
  const recipe = join(folder, 'small.yaml');
  writeFileSync(
    recipe,
    `model: { id: gmm, options: { shape: [2, 2, 1], means: [[0, 0, 0, 0]], variances: [1] } }
images: { from: prior, count: 2 }
operators: [ identity ]
sigmaY: [ 0.1, 0.3 ]
methods: [ none ]
scheduler: { id: ddpm, options: { steps: 4 } }
engine: eager
metrics: [ psnr ]
`,
  );
  const out = join(folder, 'out');
  const { code, out: said } = await tweedie(['problems', 'export', recipe, '--out', out, '--no-truth']);
  expect([code, said.trim()]).toEqual([0, `4 problems in ${out}`]);
  const listed = JSON.parse(readFileSync(join(out, 'problems.json'), 'utf8')) as { name: string }[];
  expect(readdirSync(out)).toEqual(
    ['problems.json', ...listed.flatMap(({ name }) => [`${name}.matrix.npy`, `${name}.safetensors`])].toSorted(),
  );
  expect(readFileSync(join(out, `${listed[0]!.name}.safetensors`), 'latin1')).not.toContain('"x0"');
});

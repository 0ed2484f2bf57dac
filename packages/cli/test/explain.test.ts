import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { tweedie } from './start.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-explain-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('explain: one JSON object on standard output, and a report', async () => {
  writeFileSync(
    join(folder, 'small.yaml'),
    `
model: { id: gmm, options: { shape: [1, 2, 1], means: [[-1, 0], [1, 0.5]], variances: 0.1 } }
images: { from: prior, count: 3 }
operators: [identity]
sigmaY: 0.2
methods: [dps, exact]
scheduler: { id: ddpm, options: { steps: 6 } }
engine: eager
`,
  );
  const { code, out, err } = await tweedie(
    ['explain', 'small.yaml', '--samples', '3', '--limit', '1', '--out', 'looked', '--json'],
    { cwd: folder },
  );
  expect(code, err).toBe(0);
  const { command, images, rows } = JSON.parse(out) as {
    command: string;
    images: string[];
    rows: { label: string; measures: { relativeError: number[] } }[];
  };
  expect(command).toBe('npx tweedie explain small.yaml --samples 3 --limit 1 --out looked');
  expect(images).toHaveLength(1);
  expect(rows.map(({ label }) => label)).toEqual(['dps', 'exact']);
  expect(Math.max(...rows[1]!.measures.relativeError)).toBeLessThan(1e-3);
  expect(readFileSync(join(folder, 'looked/report.html'), 'utf8')).toContain('Relative error of the guidance');
});

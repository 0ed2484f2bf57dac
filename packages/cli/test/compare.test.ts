import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { binary, tweedie } from './start.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-compare-'));
afterAll(() => rmSync(folder, { recursive: true }));

const recipe = (changes: object = {}): string => {
  const file = join(folder, `recipe-${Object.keys(changes).join('-')}.json`);
  const tiny = {
    model: {
      id: 'gmm',
      options: {
        shape: [1, 2, 1],
        means: [
          [-1, 0],
          [1, 0],
        ],
        variances: [0.1, 0.2],
      },
    },
    images: { from: 'prior', count: 2 },
    operators: ['identity'],
    sigmaY: 0.5,
    methods: ['none', { id: 'dps', options: { scale: 0.1 } }],
    scheduler: { id: 'ddpm', options: { steps: 5 } },
    engine: 'eager',
    metrics: ['psnr'],
  };
  writeFileSync(file, JSON.stringify({ ...tiny, ...changes }));
  return file;
};

describe('tweedie compare', () => {
  it('prints the table on standard output, progress on standard error, and writes the report', async () => {
    const { code, out, err } = await tweedie(['compare', recipe(), '--out', 'run'], { cwd: folder });
    expect(out).toMatch(/method .*psnr/);
    expect(out).toContain(`Report: ${join(folder, 'run/report.html')}`);
    expect(err).toMatch(/^sampling 100 %/m);
    expect(code).toBe(0);
    expect(existsSync(join(folder, 'run/report.html'))).toBe(true);
  });

  it('prints one JSON object, and takes what is finished from the run folder', async () => {
    const { code, out } = await tweedie(['compare', recipe(), '--out', 'run', '--json'], { cwd: folder });
    const result = JSON.parse(out) as {
      run: string;
      rows: { label: string; n: number }[];
      cost: { forwards: number }[];
      failures: unknown[];
      report: string;
    };
    expect(result.rows.map(({ label, n }) => [label, n])).toEqual([
      ['none', 2],
      ['dps', 2],
    ]);
    expect(result.cost.map(({ forwards }) => forwards)).toEqual([5, 5]);
    expect(result).toMatchObject({ run: join(folder, 'run'), failures: [], report: join(folder, 'run/report.html') });
    expect(code).toBe(0);
  });

  it('ends with 1 where a sample failed, the others being in the table', async () => {
    const methods = ['none', { id: 'dps', options: { scale: 1e38 } }];
    const { code, out } = await tweedie(['compare', recipe({ methods }), '--out', 'failing', '--json'], {
      cwd: folder,
    });
    const { rows, failures } = JSON.parse(out) as { rows: { label: string }[]; failures: { label: string }[] };
    expect(failures.map(({ label }) => label)).toEqual(['dps', 'dps']);
    expect(rows.map(({ label }) => label)).toContain('none');
    expect(code).toBe(1);
  });

  it('refuses bad input with 2 and one message', async () => {
    const file = recipe({ sigmaY: -1 });
    const { code, out, err } = await tweedie(['compare', file], { cwd: folder });
    expect(err).toBe(`Error: [${file}:1 /sigmaY] must be >= 0, got -1.\n`);
    expect(out).toBe('');
    expect(code).toBe(2);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'stops on %s between two steps, and says how to resume',
    async (name) => {
      const file = recipe({ scheduler: { id: 'ddpm', options: { steps: 1000 } }, samples: 1000 });
      const child = spawn(process.execPath, [binary, 'compare', file, '--out', `stopped-${name}`], {
        cwd: folder,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let err = '';
      child.stderr.on('data', (chunk) => {
        if (!err.includes('sampling') && String(chunk).includes('sampling')) child.kill(name);
        err += String(chunk);
      });
      const code = await new Promise((resolve) => child.on('close', resolve));
      expect(err).toContain('Press Ctrl-C again to end at once.');
      expect(err).toContain(`To resume: npx tweedie compare ${file} --out stopped-${name}\n`);
      expect(code).toBe(130);
    },
  );
});

it('tweedie plan prints the matrix, or JSON', async () => {
  const { out } = await tweedie(['plan', recipe()], { cwd: folder });
  expect(out).toMatch(/dps +5 +5 \+ 5/);
  const { rows } = JSON.parse((await tweedie(['plan', recipe(), '--json', '--steps', '7'], { cwd: folder })).out) as {
    rows: { label: string; forwards: number }[];
  };
  expect(rows).toMatchObject([
    { label: 'none', forwards: 7 },
    { label: 'dps', forwards: 7 },
  ]);
});

it('tweedie report makes the report again', async () => {
  rmSync(join(folder, 'run/report.html'));
  const { code, out } = await tweedie(['report', 'run'], { cwd: folder });
  expect(code).toBe(0);
  expect(out).toMatch(/method .*psnr/);
  expect(existsSync(join(folder, 'run/report.html'))).toBe(true);
});

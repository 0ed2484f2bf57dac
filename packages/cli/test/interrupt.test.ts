import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openResults } from '@tweedie/experiments';
import { binary, tweedie } from './start.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-interrupt-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A file with a part that holds up its process for good: it says so before, and would leave a file behind after. */
const write = (name: string, kind: string, factory: string): string => {
  const code = `import { writeFileSync, writeSync } from 'node:fs';
const block = () => {
  writeSync(2, 'blocked\\n');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 120_000);
  writeFileSync('went-on', '');
};
export const plugin = {
  manifest: {
    kind: '${kind}', id: '${name}', title: 'A test of Ctrl-C',
    options: { type: 'object', additionalProperties: false, properties: {} },
  },
  factory: () => { ${factory} },
};
`;
  writeFileSync(join(folder, `${name}.mjs`), code);
  return `./${name}.mjs`;
};

const recipe = (name: string, changes: object): string => {
  const tiny = {
    model: { id: 'gmm', options: { shape: [1, 2, 1], means: [[0, 0]], variances: 0.1 } },
    images: { from: 'prior', count: 2 },
    operators: ['identity'],
    sigmaY: 0.5,
    methods: ['none'],
    scheduler: { id: 'ddpm', options: { steps: 3 } },
    engine: 'eager',
  };
  const file = `${name}.json`;
  writeFileSync(join(folder, file), JSON.stringify({ ...tiny, ...changes }));
  return file;
};

const step = '{ step: async (xt) => ({ state: xt.clone() }) }';
const metric = (body: string): string =>
  `let calls = 0; return { better: 'higher', compare: async (x) => { ${body} return Array(x.shape[0]).fill(0); } };`;

describe('Ctrl-C ends a comparison while the thread of JavaScript is held up', () => {
  it.each([
    ['planned', 'guidance', `block(); return { bind: () => (${step}) };`],
    ['bound', 'guidance', `return { bind: () => { block(); return ${step}; } };`],
    ['drawn in this process', 'guidance', 'return { bind: () => ({ step: async () => block() }) };'],
    // The first call tries the metric, the next one scores what was drawn before.
    ['scored', 'metric', metric('if (++calls > 1) block();')],
  ] as const)('%s', async (phase, kind, factory) => {
    const name = phase.replaceAll(' ', '-');
    const plugin = write(name, kind, factory);
    const out = `run-${name}`;
    const before = await tweedie(['compare', recipe(name, {}), '--out', out], { cwd: folder });
    expect(before.code).toBe(0);
    const file = recipe(name, kind === 'metric' ? { metrics: [plugin] } : { methods: ['none', plugin] });
    const child = spawn(process.execPath, [binary, 'compare', file, '--out', out, '--workers', '0'], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let err = '';
    child.stderr.on('data', (part) => {
      const there = err.includes('blocked');
      err += String(part);
      if (!there && err.includes('blocked')) child.kill('SIGINT');
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect(err).toMatch(
      new RegExp(
        `Stopping. Press Ctrl-C again to end at once.\nError: Stopped. What had finished is kept.\nTo resume: npx tweedie compare ${file} --out ${out} --workers 0\n$`,
      ),
    );
    expect(code).toBe(130);
    expect(existsSync(join(folder, 'went-on'))).toBe(false);
    const results = await openResults(join(folder, out));
    try {
      expect([...(await results.cells()).values()].map(({ label }) => label)).toEqual(['none', 'none']);
    } finally {
      results.close();
    }
  });

  it('and a process that watches it and is killed takes it along', async () => {
    const plugin = write('slow', 'guidance', `return { bind: () => (${step}) };`);
    const file = recipe('slow', {
      methods: [plugin],
      scheduler: { id: 'ddpm', options: { steps: 1000 } },
      samples: 2000,
    });
    const child = spawn(process.execPath, [binary, 'compare', file, '--out', 'slow'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stderr.on('data', (part) => void (String(part).includes('sampling') && child.kill('SIGKILL')));
    // Both have standard error, which ends when both have.
    expect(await new Promise((resolve) => child.on('close', (_, signal) => resolve(signal)))).toBe('SIGKILL');
  });
});

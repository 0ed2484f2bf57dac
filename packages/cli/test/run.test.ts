/** `tweedie run`: scripts in a folder outside of the repository, where nothing is installed and no package.json is. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { binary, tweedie } from './start.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-run-'));
afterAll(() => rmSync(folder, { recursive: true }));

const run = (script: string, ...own: readonly string[]) => {
  writeFileSync(join(folder, 'mine.ts'), script);
  return tweedie(['run', 'mine.ts', ...own], { cwd: folder });
};

it('runs TypeScript that imports packages and files, with its own arguments', async () => {
  writeFileSync(join(folder, 'beside.ts'), 'export const two: number = 2;');
  const script = `import { parseArgs } from 'node:util';
    import { showShape } from '@tweedie/core/registry';
    import { two } from './beside.ts';
    const { values } = parseArgs({ options: { steps: { type: 'string' } } });
    await Promise.resolve();
    console.log(showShape([two]), values.steps, import.meta.filename);`;
  const out = `[2] 5 ${join(folder, 'mine.ts')}\n`;
  expect(await run(script, '--steps', '5')).toEqual({ code: 0, out, err: '' });
  expect(await run(script, '--', '--steps', '5')).toEqual({ code: 0, out, err: '' });
});

it('ends with the exit code of the script', async () => {
  expect(await run('process.exitCode = 7;')).toEqual({ code: 7, out: '', err: '' });
});

const LATER = 'await new Promise((resolve) => setTimeout(resolve, 10));';

it.each([
  ['awaited', (work: string) => `${LATER}\n${work}`],
  ['not awaited', (work: string) => `void (async () => { ${LATER}\n${work} })();`],
])('prints an error of %s work as one message with its line, or what Tweedie says of input', async (_, script) => {
  expect(await run(script('[][0].x;'))).toEqual({
    code: 1,
    out: '',
    err: "Error: [mine.ts:2] Cannot read properties of undefined (reading 'x')\nDEBUG=tweedie shows the whole stack.\n",
  });
  const asking = script("(await import('@tweedie/core/registry')).openRegistry().find('engine', 'eagre');");
  expect(await run(asking)).toEqual({
    code: 2,
    out: '',
    err: 'Error: [engine] there is no engine "eagre". Did you mean "eager"?\n',
  });
});

it.each([
  ['nowhere.ts', '[nowhere.ts] there is no such file. Correct the path; it starts at the working folder.'],
  ['.', '[.] is no script. Give a file that ends in .ts, .mts, .js or .mjs.'],
  ['my.yaml', '[my.yaml] is no script. To run a recipe: npx tweedie compare my.yaml.'],
])('refuses %s', async (name, message) => {
  writeFileSync(join(folder, 'my.yaml'), '');
  expect(await tweedie(['run', name], { cwd: folder })).toEqual({ code: 2, out: '', err: `Error: ${message}\n` });
});

it.each([
  ['', 130, 'Stopped. What is stored is kept: the same command goes on from there.\n'],
  ["process.once('SIGINT', () => process.exit(5));", 5, ''],
])('Ctrl-C ends a script unless it stops itself: %j', async (own, code, err) => {
  writeFileSync(join(folder, 'long.ts'), `${own} console.log('on'); setInterval(() => undefined, 1000);`);
  const child = spawn(process.execPath, [binary, 'run', 'long.ts'], { cwd: folder });
  let told = '';
  child.stderr.on('data', (chunk) => (told += String(chunk)));
  child.stdout.once('data', () => child.kill('SIGINT'));
  const ended = await new Promise<number | null>((resolve) => child.on('close', resolve));
  expect([ended, told]).toEqual([code, err]);
});

/** `tweedie restore` with the prior that ships and its defaults. Weights may change: no number of theirs is here. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { restore } from '@tweedie/experiments';
import { createFiles, encodePng } from '@tweedie/files';
import { afterAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const pictures = join(root, 'plugins/dataset-photographs/pictures');
const folder = mkdtempSync(join(tmpdir(), 'tweedie-photographs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const files = createFiles(folder);

/** The middle of a photograph that ships. */
const clean = join(folder, 'clean.png');
writeFileSync(
  clean,
  await encodePng(
    await files.readImage(join(pictures, 'spaniel.png'), { height: 32, width: 32, channels: 3, fit: 'crop' }),
    [32, 32, 3],
  ),
);
writeFileSync(join(folder, 'kernel.png'), await encodePng(Float32Array.of(-1, 0, -1, 0, 1, 0, -1, 0, -1), [3, 3, 1]));

describe('restore at its defaults', () => {
  it.each([
    ['identity', {}],
    ['inpaint', { pattern: 'box', box: 10 }],
    ['super-resolution', { factor: 4 }],
    ['blur', { kernel: 'file', file: join(folder, 'kernel.png') }],
    ['colorize', {}],
  ])('fits what it is given: %s', async (id, options) => {
    const out = join(folder, `${id}.png`);
    const { pictures: done } = await restore({
      image: clean,
      operator: { id, options },
      degrade: true,
      sigmaY: '6/255',
      out,
      page: false,
    });
    const [
      {
        misfits: [misfit = NaN],
        steps,
        failures,
      },
    ] = done as [(typeof done)[number]];
    expect(failures).toEqual([undefined]);
    expect(steps).toBe(30);
    // About 1 is a fit; the wrong scale has 6 and more where it is far too small, or diverges.
    expect(misfit).toBeGreaterThan(0.2);
    expect(misfit).toBeLessThan(3);
    expect(await files.imageShape(out)).toEqual([32, 32, 3]);
  });

  it('enlarges a small picture, and gives a grey one colours', async () => {
    const out = join(folder, 'large.png');
    await restore({ image: clean, operator: 'super-resolution', steps: 3, out, page: false });
    expect(await files.imageShape(out)).toEqual([128, 128, 3]);
    const grey = join(folder, 'grey.png');
    const values = await files.readImage(clean, { height: 32, width: 32, channels: 1 });
    writeFileSync(grey, await encodePng(values, [32, 32, 1]));
    const coloured = join(folder, 'coloured.png');
    await restore({ image: grey, operator: 'colorize', steps: 3, out: coloured, page: false });
    expect(await files.imageShape(coloured)).toEqual([32, 32, 3]);
  });
});

it('tweedie restore gives the same bits twice, and says what it took', async () => {
  const run = async (out: string, ...flags: readonly string[]) => {
    const argv = [join(root, 'packages/cli/bin/tweedie.js'), 'restore', clean, '--steps', '3', '--out', out, ...flags];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, argv, { cwd: folder });
    return { stdout, stderr, bytes: readFileSync(out) };
  };
  const first = await run(join(folder, 'one.png'));
  const second = await run(join(folder, 'two.png'), '--no-page');
  expect(second.bytes.equals(first.bytes)).toBe(true);
  expect(first.stdout).toBe(`${join(folder, 'one.png')}\n${join(folder, 'one.html')}\n`);
  expect(second.stdout).toBe(`${join(folder, 'two.png')}\n`);
  expect(first.stderr).toMatch(/^Note: \[.*clean\.png\] noise: sigmaY [\d.]+ \([\d.]+ of 255 grey levels\)/m);
  expect(first.stderr).toMatch(
    /^misfit [\d.]+; sigmaY [\d.]+ \([\d.]+ of 255 grey levels\) as estimated; [\d.]+ s, 3 steps, seed 0$/m,
  );
  const other = await run(join(folder, 'three.png'), '--no-page', '--seed', '1', '--sigma-y', '12/255');
  expect(other.bytes.equals(first.bytes)).toBe(false);
  expect(other.stderr).toMatch(/^misfit [\d.]+; sigmaY 0\.0941 \(12 of 255 grey levels\); [\d.]+ s, 3 steps, seed 1$/m);
});

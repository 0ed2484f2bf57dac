import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { createFiles, encodePng } from '@tweedie/files';
import { operatorPicture } from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-picture-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('draws x, A(x) and A^T A(x) of an operator side by side, the last at the gain of x', async () => {
  const [image, out] = [join(folder, 'x.png'), join(folder, 'out', 'drawing.png')];
  writeFileSync(
    image,
    await encodePng(
      Float32Array.from({ length: 48 }, (_, k) => (k < 24 ? 0.6 : -0.6)),
      [4, 4, 3],
    ),
  );
  const told: string[] = [];
  await operatorPicture({
    onProgress: ({ phase, done, total }) => told.push(`${phase} ${done}/${total}`),
    operator: { id: 'super-resolution', options: { factor: 2, kernel: 'block' } },
    image,
    out,
    enlarge: 1,
  });
  const [height, width] = [4, 3 * 4 + 2 * 8];
  const drawn = await createFiles(folder).readImage(out, { height, width, channels: 3, fit: 'exact' });
  const at = (row: number, column: number): number => drawn[(row * width + column) * 3] ?? NaN;
  for (const panel of [0, 12, 24]) {
    expect(at(0, panel)).toBeCloseTo(0.6, 1);
    expect(at(3, panel + 3)).toBeCloseTo(-0.6, 1);
  }
  expect(at(0, 5)).toBe(1);
  expect(told).toEqual(Array.from({ length: 22 }, (_, i) => `drawing ${i}/21`));
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeDataset, encodePng } from '@tweedie/testing';
import { afterAll } from 'vitest';

const folder = await mkdtemp(join(tmpdir(), 'tweedie-folder-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
for (const name of ['b', 'a', 'c']) {
  const ramp = Float32Array.from({ length: 12 * 10 * 3 }, (_, k) => Math.sin(k * name.charCodeAt(0)));
  await writeFile(join(folder, `${name}.png`), await encodePng(ramp, [12, 10, 3]));
}

describeDataset(import.meta.url, {
  folder,
  options: [
    { path: '.', size: 8 },
    { path: '.', size: 4, channels: 1, crop: 'random', cropsPerImage: 3 },
    { path: '.', crop: 'none' },
  ],
});

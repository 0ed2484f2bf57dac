import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomCheckpoint } from '@tweedie/networks';
import { describeModel } from '@tweedie/testing';
import { afterAll } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-tiles-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const network = {
  image_size: 8,
  num_channels: 32,
  num_res_blocks: 1,
  channel_mult: '1,1',
  attention_resolutions: 'none',
};
writeFileSync(join(folder, 'net.safetensors'), randomCheckpoint(network, 2));
const model = { id: 'ddpm-vp', options: { ...network, weights: 'net.safetensors' } };

describeModel(import.meta.url, {
  folder,
  options: [
    { model, tile: 6, overlap: 2 },
    { model, tile: 6, overlap: 2, shift: true },
  ],
  tolerance: 1e-4,
});

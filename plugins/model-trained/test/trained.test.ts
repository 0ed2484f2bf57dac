import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeSafetensors, encodeSafetensors } from '@tweedie/core';
import { admParameters, cardMetadata, type NetworkCard, randomCheckpoint } from '@tweedie/networks';
import { describeModel, testContext } from '@tweedie/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { trained } from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-trained-'));
afterAll(() => rmSync(folder, { recursive: true }));

const network = {
  image_size: 8,
  num_channels: 32,
  num_res_blocks: 1,
  channel_mult: '1,2',
  patch_size: 2,
  attention_resolutions: 'none',
  conv_resample: false,
};
const cards: { readonly [name: string]: NetworkCard } = {
  edm: { network, prediction: { kind: 'edm', sigma_data: 0.5, sigma_min: 0.005, sigma_max: 15 } },
  ddpm: {
    network: { ...network, learn_sigma: true },
    prediction: { kind: 'ddpm', noise_schedule: 'linear', diffusion_steps: 1000 },
  },
};
for (const [name, card] of Object.entries(cards)) {
  const tensors = decodeSafetensors(randomCheckpoint(card.network, 1)) as Parameters<typeof encodeSafetensors>[0];
  expect(tensors.size).toBe(admParameters(card.network).length);
  writeFileSync(join(folder, `${name}.safetensors`), encodeSafetensors(tensors, cardMetadata(card)));
}

describeModel(import.meta.url, {
  folder,
  options: Object.keys(cards).map((name) => ({ weights: `${name}.safetensors` })),
  tolerance: 1e-4,
});

describe('model/trained', () => {
  it('refuses a file that does not say which network it is', async () => {
    writeFileSync(join(folder, 'bare.safetensors'), randomCheckpoint(network, 1));
    const made = trained({ weights: 'bare.safetensors', process: {} as never }, testContext(folder));
    await expect(made).rejects.toThrow('does not say which network its weights belong to');
  });
});

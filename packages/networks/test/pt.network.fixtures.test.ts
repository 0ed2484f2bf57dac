/** The networks of guided diffusion in files of PyTorch: the same numbers, and files that do not fit. */
import { createHash } from 'node:crypto';
import { encodeSafetensors } from '@tweedie/core';
import { testContext } from '@tweedie/testing';
import { fixtureFolder, fixtureReport, hasFixture } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';
import { type AdmConfig, admWeights, openCheckpoint } from '../src/index.ts';

const report = fixtureReport('network', 'pt');
const { files } = testContext(fixtureFolder('network'));
const { models } = report.index<{ models: Readonly<Record<string, { readonly config: AdmConfig }>> }>('index.json', {
  models: {},
});

for (const [name, { config }] of Object.entries(models)) {
  const has = (end: string): boolean => hasFixture('network', `${name}.${end}`);
  if (has('safetensors') && has('pt'))
    report.case(`${name}.pt has the numbers of ${name}.safetensors`, async () => {
      const [one, other] = [
        await openCheckpoint(`${name}.safetensors`, files),
        await openCheckpoint(`${name}.pt`, files),
      ];
      expect(new Map([...other.shapes].sort())).toEqual(new Map([...one.shapes].sort()));
      for (const tensor of one.shapes.keys()) {
        const [a, b] = [Buffer.from((await one.read(tensor)).buffer), Buffer.from((await other.read(tensor)).buffer)];
        expect(a.equals(b), tensor).toBe(true);
      }
    });
  if (has('tensors.json') && has('legacy.pt'))
    report.case(`${name}.legacy.pt`, async () => {
      type Listed = { readonly shape: readonly number[]; readonly sha256: string };
      const { tensors } = report.index<{ tensors: Readonly<Record<string, Listed>> }>(`${name}.tensors.json`, {
        tensors: {},
      });
      const { shapes, read } = await openCheckpoint(`${name}.legacy.pt`, files);
      expect([...shapes.keys()].sort()).toEqual(Object.keys(tensors).sort());
      for (const [tensor, { shape, sha256: hash }] of Object.entries(tensors)) {
        expect(shapes.get(tensor), tensor).toEqual(shape);
        const data = await read(tensor);
        const halves = encodeSafetensors(new Map([['x', { dtype: 'F16', shape, data }]])).slice(-2 * data.length);
        expect(createHash('sha256').update(halves).digest('hex'), tensor).toBe(hash);
      }
    });
  const faults: Readonly<Record<string, string>> = {
    'missing-key': 'tensor "middle_block.1.proj_out.bias" is missing.',
    'wrong-shape':
      'tensor "input_blocks.1.0.emb_layers.1.weight" has shape [32, 128], the configuration needs [64, 128].',
    'extra-key': 'tensor "label_emb.weight" is not of this network.',
  };
  for (const [fault, message] of Object.entries(faults).filter(([end]) => has(`${end}.pt`)))
    report.case(`${name}.${fault}.pt`, async () => {
      const checkpoint = await openCheckpoint(`${name}.${fault}.pt`, files);
      await expect(admWeights(config, checkpoint)).rejects.toThrow(message);
    });
}

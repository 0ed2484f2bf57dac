/** Every network of the fixtures as safetensors: the same tensors, and the same network without a configuration. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Card, encodeSafetensors, safetensorsMetadata } from '@tweedie/core';
import { testContext } from '@tweedie/testing';
import { fixtureFolder, fixtureReport } from '@tweedie/testing/fixtures';
import { afterAll, expect } from 'vitest';
import { openEdm } from '../src/edm/file.ts';
import { edmParameters } from '../src/edm/plan.ts';
import { convertCheckpoint, inspectCheckpoint, openCheckpoint, recognised } from '../src/index.ts';
import type { Formats } from './formats.ts';

const report = fixtureReport('network-formats', 'convert');
const { files } = testContext(fixtureFolder('network-formats'));
const { models } = report.index<Formats>('index.json', { models: {} });
const scratch = mkdtempSync(join(tmpdir(), 'tweedie-convert-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const convert = async (path: string, settings: Parameters<typeof convertCheckpoint>[3] = {}) => {
  const conversion = await convertCheckpoint(path, files, await inspectCheckpoint(path, files, 8), settings);
  const chunks: Uint8Array[] = [];
  for await (const chunk of conversion.parts) chunks.push(chunk);
  const out = join(scratch, `${path.replaceAll('/', '-')}${settings.half ? '.half' : ''}.safetensors`);
  const bytes = Uint8Array.from(Buffer.concat(chunks));
  writeFileSync(out, bytes);
  return { ...conversion, out, bytes };
};

for (const [name, model] of Object.entries(models)) {
  const { files: listed = {} } = model as unknown as { readonly files?: Readonly<Record<string, string>> };
  const paths = [...Object.keys(listed), ...Object.values(listed)].filter((path) => /\.(pt|pkl|ckpt)$/.test(path));
  for (const path of new Set(paths))
    report.case(`${name}: ${path}`, async () => {
      const { out, model: line } = await convert(path);
      const written = await openCheckpoint(out, files);
      const isEdm = written.shapes.has('map_layer0.weight');
      const edm = isEdm ? await openEdm(path, files) : undefined;
      const source = edm?.whole ?? (await openCheckpoint(path, files));
      expect([...written.shapes].sort()).toEqual([...source.shapes].sort());
      for (const tensor of source.shapes.keys()) expect(await written.read(tensor)).toEqual(await source.read(tensor));
      if (edm?.preconditioning === undefined) return;
      // What a pickle alone says goes on as options, and the rest is in the tensors.
      const again = (await openEdm(out, files)).config;
      // Attention in blocks too narrow for a head is none: the same network without it.
      expect(edmParameters(again, out)).toEqual(edmParameters(edm.config, path));
      expect([again.filter, again.embedding, again.encoder]).toEqual([
        edm.config.filter,
        edm.config.embedding,
        edm.config.encoder,
      ]);
      expect(line.options['preconditioning']).toBe(edm.preconditioning.kind);
      expect((await inspectCheckpoint(out, files)).model.options).toEqual({ weights: out, ...line.options });
    });
}

report.case('half floats, the card, and what does not fit', async () => {
  const values = Float32Array.of(1, -0.333333, 1e-5, 65504);
  const tensors = new Map([['input_blocks.0.0.weight', { dtype: 'F32' as const, shape: [4], data: values }]]);
  const path = join(scratch, 'tensors.safetensors');
  writeFileSync(path, encodeSafetensors(tensors));
  const card = { id: 'faces', title: 'Faces', page: 'https://a.example', licence: 'none', files: [], options: {} };
  const known = { model: { id: 'ddpm-vp', options: { weights: path, image_size: 8 } }, facts: { family: 'adm' } };
  const { parts, model } = await convertCheckpoint(path, files, known, { half: true, card: card as unknown as Card });
  const chunks: Uint8Array[] = [];
  for await (const chunk of parts) chunks.push(chunk);
  const half = Uint8Array.from(Buffer.concat(chunks));
  const out = join(scratch, 'half.safetensors');
  writeFileSync(out, half);
  const read = await (await openCheckpoint(out, files)).read('input_blocks.0.0.weight');
  values.forEach((value, k) =>
    expect(Math.abs((read[k] ?? NaN) - value)).toBeLessThanOrEqual(Math.abs(value) * 2 ** -7),
  );
  expect(read[0]).toBe(1);
  expect(model).toEqual({ id: 'faces', options: {} });
  const told = JSON.parse(safetensorsMetadata(half)['tweedie_checkpoint'] ?? '') as Record<string, unknown>;
  expect(told).toMatchObject({ card: 'faces', licence: 'none', model: { id: 'ddpm-vp', options: { image_size: 8 } } });
  expect(recognised({ facts: { card: 'faces' } } as never, out, [card as unknown as Card])).toEqual([card]);
  values[0] = 7e4;
  writeFileSync(path, encodeSafetensors(tensors));
  const beyond = await convertCheckpoint(path, files, known, { half: true });
  const all = async () => {
    for await (const chunk of beyond.parts) expect(chunk.length).toBeGreaterThan(0);
  };
  await expect(all()).rejects.toThrow(
    'tensor "input_blocks.0.0.weight" holds 70000, beyond what half floats hold. Convert it to float32.',
  );
});

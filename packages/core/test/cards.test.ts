import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createContainer, type Files, loadRegistries, resolveOptions } from '../src/index.ts';

const scratch = mkdtempSync(join(tmpdir(), 'tweedie-cards-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const card = {
  id: 'faces',
  title: 'Faces',
  page: 'https://weights.example/faces',
  files: [{ name: 'faces.pt', url: 'https://weights.example/faces.pt' }],
  licence: 'CC BY-NC 4.0',
  commercial: 'forbidden',
  source: { bibtex: '@misc{faces, title={Faces}}' },
  range: [-1, 1],
  schedule: 'linear',
  options: { weights: 'cache:checkpoints/faces/faces.pt', size: 8 },
};
let count = 0;
/** A plugin with these cards, by their file names. */
const registryWith = (cards: Record<string, unknown>) => {
  const folder = join(scratch, `plugin-${count++}`);
  mkdirSync(join(folder, 'cards'), { recursive: true });
  writeFileSync(
    join(folder, 'plugin.json'),
    JSON.stringify({
      kind: 'model',
      id: 'net',
      export: 'net',
      title: 'A network',
      cards: 'cards',
      options: {
        type: 'object',
        additionalProperties: false,
        required: ['weights', 'size'],
        properties: {
          weights: { type: 'string', description: 'the file' },
          size: { type: 'integer', description: 'pixels' },
          label: { type: 'integer', description: 'class' },
        },
      },
    }),
  );
  writeFileSync(
    join(folder, 'index.js'),
    `export const net = ({ weights, size }) => ({ weights, size, predict() {}, weightsHash: () => '' });`,
  );
  for (const [name, content] of Object.entries(cards))
    writeFileSync(join(folder, 'cards', name), JSON.stringify(content));
  return loadRegistries([], [folder]);
};

describe('a card', () => {
  it("is a model of its own id: the plugin's, with other defaults, title and citation", () => {
    const registry = registryWith({ 'faces.json': card });
    expect(registry.cards.map(({ id }) => id)).toEqual(['faces']);
    expect(registry.manifests.map(({ id }) => id)).toEqual(['net']);
    const manifest = registry.find('model', 'faces');
    expect([manifest.title, manifest.export, manifest.source]).toEqual(['Faces', 'net', card.source]);
    expect(resolveOptions(manifest)).toEqual(card.options);
    expect(resolveOptions(manifest, { weights: 'mine.pt', label: 3 })).toEqual({
      ...card.options,
      weights: 'mine.pt',
      label: 3,
    });
    expect(() => registry.find('model', 'face')).toThrow('Did you mean "faces"?');
  });

  it('is refused, by name, where it is not sound; the other plugins go on', () => {
    const registry = registryWith({ 'faces.json': { ...card, options: { ...card.options, sizes: 8 } } });
    expect(registry.cards).toEqual([]);
    expect(registry.find('model', 'net').id).toBe('net');
    expect([...registry.broken.values()].map(String).join()).toContain(
      'faces.json /options/sizes] is no option of the plugin that reads the card.',
    );
    const { broken } = registryWith({ 'other.json': card, 'faces.json': { ...card, licence: undefined } });
    expect(String([...broken.values()])).toContain('"licence" is missing.');
    expect(String([...registryWith({ 'other.json': card }).broken.values()])).toContain('Call the file faces.json.');
  });

  it('makes a model where its files are, and says where they are published where not', async () => {
    const there = new Set<string>();
    const files = {
      cached: (name: string) => `/cache/${name}`,
      size: (path: string) => (there.has(path) ? Promise.resolve(1) : Promise.reject(new Error('gone'))),
    } as unknown as Files;
    const container = createContainer({ registry: registryWith({ 'faces.json': card }), files });
    await expect(container.plugin('model', { id: 'faces' })).rejects.toThrow(
      '[model/faces] faces.pt is not in /cache/checkpoints/faces, for weights do not ship. It is published at https://weights.example/faces; npx tweedie checkpoint get faces fetches it. Its licence forbids commercial use: CC BY-NC 4.0.',
    );
    expect(await container.plugin('model', { id: 'faces', options: { weights: 'mine.pt' } })).toMatchObject({
      weights: 'mine.pt',
    });
    there.add('/cache/checkpoints/faces/faces.pt');
    expect(await container.plugin('model', { id: 'faces' })).toMatchObject(card.options);
  });
});

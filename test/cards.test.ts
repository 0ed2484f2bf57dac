/** The cards of published checkpoints: what they say is what the models that they make are. */
import { openRegistry, resolveOptions } from '@tweedie/core/registry';
import { admParameters, type AdmConfig, admPlan } from '@tweedie/networks';
import { sizeOf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';

const { cards, broken } = openRegistry({ folders: [] });
const named = cards.flatMap((manifest) =>
  manifest.card ? [{ name: manifest.id, manifest, card: manifest.card }] : [],
);

it('are all sound, and have ids that no plugin has', () => {
  expect([...broken.keys()]).toEqual([]);
  const ids = openRegistry({ folders: [] }).manifests.map(({ id }) => id);
  expect(cards.filter(({ id }) => ids.includes(id))).toEqual([]);
});

describe.each(named)('$name', ({ manifest, card }) => {
  it('is enough for a recipe: every option is there, the files where tweedie checkpoint get puts them', () => {
    const options = resolveOptions(manifest);
    const [first] = card.files;
    const own = `cache:checkpoints/${card.id}`;
    expect([options['weights'], options['folder']].filter((place) => place !== undefined)).toEqual([
      options['folder'] === undefined ? `${own}/${first?.name}` : own,
    ]);
    expect(card.source.bibtex.length).toBeGreaterThan(50);
    expect(card.range).toEqual([-1, 1]);
  });

  it('makes a network whose schedule and classes are those of the card', () => {
    const options = resolveOptions(manifest) as AdmConfig & Record<string, unknown>;
    if (!('num_channels' in card.options)) return;
    expect(admPlan(options).classes).toBe(card.classes);
    const schedule = options['preconditioning'] === 'vp' ? 'continuous' : String(options['noise_schedule']);
    expect(card.schedule.startsWith(schedule)).toBe(true);
  });
});

it.each([
  ['ffhq-256', 93_563_910, 362],
  ['imagenet-256', 552_814_086, 566],
])('%s has the published number of parameters', (id, parameters, tensors) => {
  const { card } = openRegistry({ folders: [] }).find('model', id);
  const list = admParameters(card?.options as AdmConfig);
  expect([list.reduce((sum, { shape }) => sum + sizeOf(shape), 0), list.length]).toEqual([parameters, tensors]);
});

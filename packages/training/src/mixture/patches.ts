import { type Container, keyedRandom } from '@tweedie/core';
import { cropsOf } from '../crops.ts';
import type { TrainingData } from '../recipe.ts';
import type { Patches } from './expectation.ts';

/** Patches drawn at a time; a number of them depends on their place alone, so that more are the same and others. */
const AT_ONCE = 4096;

/**
 * Random square patches of a data set at several scales, with normal noise of the standard deviation `floor` added to
 * each. `purpose` tells the patches that are fitted from those held out.
 */
export async function drawPatches(
  container: Container,
  data: TrainingData,
  {
    count,
    size,
    floor,
    seed,
    purpose,
    where,
  }: {
    readonly count: number;
    readonly size: number;
    readonly floor: number;
    readonly seed: number;
    readonly purpose: string;
    readonly where: string;
  },
): Promise<Patches & { readonly channels: number }> {
  const dataset = await container.plugin('dataset', data.dataset);
  const [, , channels] = dataset.imageShape;
  const crops = cropsOf(dataset, [size, size, channels], data, where);
  const entries = size * size * channels;
  const values = new Float32Array(count * entries);
  for (let from = 0; from < count; from += AT_ONCE) {
    const random = keyedRandom(`mixture ${seed} ${purpose} ${from / AT_ONCE}`);
    const drawn = await crops.draw(random, AT_ONCE);
    const noise = random.normal('floor', AT_ONCE * entries);
    const used = Math.min(AT_ONCE, count - from) * entries;
    for (let i = 0; i < used; i++) values[from * entries + i] = (drawn[i] as number) + floor * (noise[i] as number);
  }
  return { values, count, size: entries, channels };
}

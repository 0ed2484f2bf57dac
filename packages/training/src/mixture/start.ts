import type { KeyedRandom } from '@tweedie/core';
import type { Patches } from './expectation.ts';
import type { Moments } from './parameters.ts';

/** Patches among which the first means are chosen, for each component. */
const PATCHES_EACH = 100;

/**
 * The moments that EM starts from. Means are patches: `random` ones, or by k-means++ (Arthur and Vassilvitskii 2007),
 * each drawn with a chance that grows with its squared distance to those chosen before. Every patch then belongs to
 * its nearest mean, and what there is of a component's covariance counts against d patches of that of all components.
 */
export function startingMoments(
  patches: Patches,
  components: number,
  kind: 'k-means++' | 'random',
  random: KeyedRandom,
): Moments {
  const { values, size } = patches;
  const count = Math.min(patches.count, PATCHES_EACH * components);
  const draws = random.uniform('start', components);
  const nearest = new Float64Array(count).fill(Infinity);
  const owner = new Int32Array(count);
  const order = random.permutation('start', count);
  const distance = (a: number, b: number, least: number): number => {
    let sum = 0;
    for (let i = 0; i < size && sum < least; i++)
      sum += ((values[a * size + i] as number) - (values[b * size + i] as number)) ** 2;
    return sum;
  };
  for (let k = 0; k < components; k++) {
    let chosen = order[k] ?? 0;
    if (kind === 'k-means++' && k > 0) {
      const total = nearest.reduce((sum, value) => sum + value, 0);
      let left = (draws[k] ?? 0) * total;
      for (chosen = 0; chosen < count - 1 && (left -= nearest[chosen] ?? 0) > 0;) chosen++;
    }
    for (let n = 0; n < count; n++) {
      const to = distance(n, chosen, nearest[n] ?? Infinity);
      if (to >= (nearest[n] ?? Infinity)) continue;
      nearest[n] = to;
      owner[n] = k;
    }
  }

  const counts = new Float64Array(components);
  const means = new Float64Array(components * size);
  for (let n = 0; n < count; n++) {
    const k = owner[n] as number;
    counts[k] = (counts[k] as number) + 1;
    for (let i = 0; i < size; i++)
      means[k * size + i] = (means[k * size + i] as number) + (values[n * size + i] as number);
  }
  for (let k = 0; k < components; k++)
    for (let i = 0; i < size; i++) means[k * size + i] = (means[k * size + i] as number) / Math.max(1, counts[k] ?? 1);
  const sums = Array.from({ length: components }, () => new Float64Array(size * size));
  for (let n = 0; n < count; n++) {
    const k = owner[n] as number;
    const own = sums[k] as Float64Array;
    for (let i = 0; i < size; i++) {
      const a = (values[n * size + i] as number) - (means[k * size + i] as number);
      for (let j = 0; j <= i; j++)
        own[i * size + j] =
          (own[i * size + j] as number) + a * ((values[n * size + j] as number) - (means[k * size + j] as number));
    }
  }
  const pooled = new Float64Array(size * size);
  for (const own of sums) own.forEach((value, i) => (pooled[i] = (pooled[i] as number) + value / count));
  const covariances = sums.map((own, k) => {
    const matrix = new Float64Array(size * size);
    for (let i = 0; i < size; i++)
      for (let j = 0; j <= i; j++) {
        const at = i * size + j;
        const value = ((own[at] as number) + size * (pooled[at] as number)) / ((counts[k] as number) + size);
        matrix[at] = value;
        matrix[j * size + i] = value;
      }
    return matrix;
  });
  return { counts: counts.map((value) => Math.max(1, value)), means, covariances };
}

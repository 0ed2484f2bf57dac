import type { Kind } from './plugin.ts';

/** Metrics that readers of papers ask for and that there is a reason not to have, by how their names begin. */
const reasons: readonly (readonly [kind: Kind, name: RegExp, reason: string])[] = [
  [
    'metric',
    /^(c?fid|kid|inception-?score|is|fdd)\b/,
    'Distances between sets of pictures (FID, KID) are measured on the features of an Inception network, whose weights are not to be had from npm, and on some ten thousand samples; with fewer they rank by chance. Perceptual ones of single pictures: haarpsi, which needs no weights, and lpips, with weights that you name.',
  ],
];

/** Why there is no plugin of this name; undefined where nothing is known. */
export const whyUnavailable = (kind: Kind, id: string): string | undefined =>
  reasons.find(([known, name]) => known === kind && name.test(id.toLowerCase()))?.[2];

import type { ImageShape } from '@tweedie/core';
import type { EmIteration } from './em.ts';
import type { MixtureRecipe } from './recipe.ts';

export type MixtureFacts = {
  readonly name: string;
  readonly recipe: MixtureRecipe;
  readonly shape: ImageShape;
  /** Those that are left. */
  readonly components: number;
  readonly logLikelihood: { readonly fitted: number; readonly heldOut: number; readonly gaussianHeldOut: number };
  readonly rows: readonly EmIteration[];
  /** Iterations in which the log-likelihood fell. */
  readonly falls: number;
  readonly mixture: string;
  readonly bytes: number;
};

const columns = ['patches', 'iteration', 'nats_an_entry', 'reseeded', 'removed'];

/** The iterations as CSV. */
export const mixtureLog = (rows: readonly EmIteration[]): string =>
  `${[
    columns.join(),
    ...rows.map(({ patches, iteration, logLikelihood, reseeded, removed }) =>
      [patches, iteration, logLikelihood, reseeded, removed].join(),
    ),
  ].join('\n')}\n`;

/** A card of what was fitted, Markdown. */
export function mixtureCard(facts: MixtureFacts): string {
  const { name, recipe, shape, components, logLikelihood, rows, falls, mixture, bytes } = facts;
  const { covariance, data, heldOut } = recipe;
  const nats = (value: number) => value.toFixed(4);
  const reseeded = rows.reduce((sum, row) => sum + row.reseeded, 0);
  const removed = rows.reduce((sum, row) => sum + row.removed, 0);
  const spread = covariance === 'full' ? 'full covariances' : `covariances of rank ${covariance.rank} plus noise`;
  const scales = (of: readonly number[]) => of.map((scale) => `1/${scale}`).join(', ');
  return `# ${recipe.title ?? name}

- Mixture: ${components} Gaussians with ${spread} over ${shape.join('x')} patches, ${(bytes / 1e6).toFixed(2)} MB
- Data: ${recipe.patches} patches of ${data.dataset.id} ${JSON.stringify(data.dataset.options ?? {})}, at ${scales(data.scales)} of their size, flipped: ${data.flip}
- Noise floor: ${recipe.floor}, added to every patch and the least standard deviation along any axis
- Log-likelihood: ${nats(logLikelihood.fitted)} nats an entry of the patches fitted, ${nats(logLikelihood.heldOut)} of ${heldOut.patches} held out (${heldOut.dataset.id} ${JSON.stringify(heldOut.dataset.options ?? {})})
- One Gaussian: ${nats(logLikelihood.gaussianHeldOut)} held out
- EM: ${rows.length} iterations from ${recipe.first} patches on, seed ${recipe.seed}, start ${recipe.start}; ${falls === 0 ? 'the log-likelihood rose in every one' : `the log-likelihood FELL in ${falls} of them: more than rounding explains, distrust this fit`}
- Dead components: ${reseeded} began anew, ${removed} were removed

Use it as a prior whose posterior is known:

\`\`\`yaml
model: { id: gmm, options: { shape: [${shape.join(', ')}], file: ${mixture} } }
\`\`\`

${name} was fitted by \`tweedie fit mixture\`; log.csv has the iterations.
`;
}

/** What methods need of the other parts, and whether parts can work together. Manifests name capabilities in `needs` and `provides`. */
import { sigmaOf, type NoiseLevel } from './problems.ts';
import type { Kind } from './plugin.ts';
import type { Guidance, Operator, Scheduler, ScoreModel } from './types.ts';

export type Capability =
  | 'model.gradient' | 'model.mixture' | 'operator.linear' | 'operator.adjoint' | 'operator.pseudoInverse' | 'operator.svd' | 'operator.reference'
  | 'operator.gradient' | 'scheduler.transition' | 'noise.gaussian';

type Parts = { readonly model: ScoreModel; readonly operator: Operator; readonly scheduler: Scheduler; readonly noise: NoiseLevel };
/** Manifests of the parts; a part given as an object has none, and is believed to have a gradient. */
type Manifests = {
  readonly model?: Provider | undefined;
  readonly operator?: Provider | undefined;
  readonly guidance?: { readonly needs: readonly Capability[] } | undefined;
};
/** What is read of the manifest of a part. */
type Provider = { readonly kind: Kind; readonly id: string; readonly provides: readonly Capability[] };

/** Whether the parts have what a capability names. */
const has = (capability: Capability, { model, operator, noise }: Parts, manifests: Manifests): boolean => {
  switch (capability) {
    case 'model.mixture':
      return model.mixture !== undefined;
    case 'operator.linear':
      return operator.linear;
    case 'operator.adjoint':
      return operator.linear || operator.adjoint !== undefined;
    case 'operator.pseudoInverse':
      return operator.pseudoInverse !== undefined;
    case 'operator.svd':
      return operator.svd !== undefined;
    case 'operator.reference':
      return operator.denoisingReference !== undefined;
    case 'scheduler.transition':
      // Every scheduler has one; with Heun's it is the Euler step.
      return true;
    case 'noise.gaussian':
      return typeof noise === 'number';
    case 'model.gradient':
      return manifests.model?.provides.includes(capability) ?? true;
    case 'operator.gradient':
      return manifests.operator?.provides.includes(capability) ?? true;
  }
};

/** Why a method cannot work with the other parts, or undefined. Asks the manifests, the parts themselves, then the method. */
export const conflict = ({ guidance, ...parts }: Parts & { readonly guidance: Pick<Guidance, 'refuses'> }, manifests: Manifests): string | undefined => {
  if (parts.scheduler.usesVariance === true && parts.model.predictsVariance !== true) {
    return 'its scheduler uses the variance that a network predicts, and the model predicts none';
  }
  const absent = (manifests.guidance?.needs ?? []).filter((capability) => !has(capability, parts, manifests));
  if (absent.length === 0) return guidance.refuses?.(parts, sigmaOf(parts.noise))?.replace(/\.$/, '');
  const lacks = absent.map((capability) => {
    const [kind = '', what = ''] = capability.split('.');
    if (kind === 'noise') return "the noise is Poisson's";
    const manifest = kind === 'model' || kind === 'operator' ? manifests[kind] : undefined;
    return `${manifest ? `${manifest.kind}/${manifest.id}` : `the ${kind}`} has no ${what}`;
  });
  return `it needs ${absent.join(', ')}; ${lacks.join(', ')}`;
};

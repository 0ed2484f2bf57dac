/**
 * What methods need of the other parts, and whether parts can work together. Manifests name capabilities in `needs` and
 * `provides`.
 */
import { sigmaOf, type NoiseLevel } from './problems.ts';
import type { Kind } from './plugin.ts';
import type { Guidance, Operator, Scheduler, ScoreModel } from './types.ts';

type Parts = {
  readonly model: ScoreModel;
  readonly operator: Operator;
  readonly scheduler: Scheduler;
  readonly noise: NoiseLevel;
};

/**
 * Every capability, and how the part that its name starts with shows it. A gradient shows in no member: only the
 * manifest of a part tells. Those of one part stand in an order in which a later one may serve as an earlier one (a
 * gradient of a linear map as its adjoint).
 */
const table = {
  'operator.linear': ({ operator }) => operator?.linear,
  'operator.adjoint': ({ operator }) => operator && (operator.linear || operator.adjoint !== undefined),
  'operator.gradient': () => undefined,
  'operator.pseudoInverse': ({ operator }) => operator && operator.pseudoInverse !== undefined,
  'operator.svd': ({ operator }) => operator && operator.svd !== undefined,
  'operator.reference': ({ operator }) => operator && operator.denoisingReference !== undefined,
  'model.gradient': () => undefined,
  'model.mixture': ({ model }) => model && model.mixture !== undefined,
  // Every scheduler has one; with Heun's it is the Euler step.
  'scheduler.transition': ({ scheduler }) => scheduler && true,
  'noise.gaussian': ({ noise }) => (noise === undefined ? undefined : typeof noise === 'number'),
} satisfies { readonly [name: string]: (parts: Partial<Parts>) => boolean | undefined };

export type Capability = keyof typeof table;
/** The names of all capabilities: what manifests may write under `needs` and `provides`. */
export const capabilities = Object.keys(table) as readonly Capability[];

/**
 * Whether the parts at hand have what a capability names; undefined where they do not tell, and a manifest must be
 * asked.
 */
export const offers = (capability: Capability, parts: Partial<Parts>): boolean | undefined => table[capability](parts);

/** The members of a part's manifest that are read here. */
type Provider = { readonly kind: Kind; readonly id: string; readonly provides: readonly Capability[] };
/** Manifests of the parts; a part given as an object has none, and is believed to have a gradient. */
type Manifests = {
  readonly model?: Provider | undefined;
  readonly operator?: Provider | undefined;
  readonly guidance?: { readonly needs: readonly Capability[] } | undefined;
};

/**
 * Why a method cannot work with the other parts, or undefined. Asks the manifests, the parts themselves, then the
 * method.
 */
export const conflict = (
  { guidance, ...parts }: Parts & { readonly guidance: Pick<Guidance, 'refuses'> },
  manifests: Manifests,
): string | undefined => {
  if (parts.scheduler.usesVariance === true && parts.model.predictsVariance !== true) {
    return 'its scheduler uses the variance that a network predicts, and the model predicts none';
  }
  const manifestOf = (kind: string | undefined) =>
    kind === 'model' || kind === 'operator' ? manifests[kind] : undefined;
  const has = (capability: Capability): boolean =>
    offers(capability, parts) ?? manifestOf(capability.split('.')[0])?.provides.includes(capability) ?? true;
  const absent = (manifests.guidance?.needs ?? []).filter((capability) => !has(capability));
  if (absent.length === 0) return guidance.refuses?.(parts, sigmaOf(parts.noise))?.replace(/\.$/, '');
  const lacks = absent.map((capability) => {
    const [kind = '', what = ''] = capability.split('.');
    if (kind === 'noise') return "the noise is Poisson's";
    const manifest = manifestOf(kind);
    return `${manifest ? `${manifest.kind}/${manifest.id}` : `the ${kind}`} has no ${what}`;
  });
  return `it needs ${absent.join(', ')}; ${lacks.join(', ')}`;
};

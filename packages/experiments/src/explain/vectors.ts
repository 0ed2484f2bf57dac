/**
 * The vectors that one step of one sample shows, as scores (gradients of a log density) in the units of xt; [d],
 * row-major H, W, C.
 */
export type StepVectors = {
  /** Score of the prior p(xt). */
  readonly prior: Float64Array;
  /** Score that the method added to that of the prior. */
  readonly guidance?: Float64Array | undefined;
  /** The exact addition: score of p(xt | y) minus score of p(xt). */
  readonly likelihood?: Float64Array | undefined;
  /**
   * The second term of the exact conditional score (Equation 8, docs/methods.md 3.5): the one that knows y and not the
   * prior.
   */
  readonly data?: Float64Array | undefined;
  /** DPS's direction G = -d/dxt || y - A(x0hat) ||^2: not a score, but what weights multiply to give one. */
  readonly direction?: Float64Array | undefined;
};

/** Numbers of a step; what does not exist (a cosine with nothing, say) is left out. */
type StepMeasures = Readonly<Partial<Record<MeasureName, number>>>;
export type MeasureName = (typeof measureNames)[number];
const measureNames = [
  'priorNorm',
  'guidanceNorm',
  'likelihoodNorm',
  'cosine',
  'relativeError',
  'priorTermNorm',
  'dataTermNorm',
  'fittedWeight',
  'effectiveWeight',
  'fittedUpdate',
  'effectiveUpdate',
  'cosineConditional',
  'cosineUnconditional',
  'meanScore',
] as const;

export const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
};
export const norm = (a: Float64Array): number => Math.sqrt(dot(a, a));
export const plus = (a: Float64Array, b: Float64Array, factor = 1): Float64Array =>
  a.map((value, i) => value + factor * (b[i] ?? 0));

const ratio = (above: number, below: number): number | undefined => (below === 0 ? undefined : above / below);
const cosine = (a: Float64Array, b: Float64Array): number | undefined => ratio(dot(a, b), norm(a) * norm(b));

/** The weight w that brings w times `direction` nearest to `score`: (score . G) / (G . G), as Equation 14. */
const weight = (score: Float64Array | undefined, direction: Float64Array | undefined): number | undefined =>
  score && direction && ratio(dot(score, direction), dot(direction, direction));

const times = (a: number | undefined, b: number): number | undefined => (a === undefined ? undefined : a * b);

/** Measures the vectors of a step. `scoreWeight` is c of the step: one unit of score moves the mean by it. */
export const measure = (
  { prior, guidance, likelihood, data, direction }: StepVectors,
  scoreWeight: number,
): StepMeasures => {
  const guided = guidance && plus(prior, guidance);
  const conditional = likelihood && plus(prior, likelihood);
  const [fittedWeight, effectiveWeight] = [weight(likelihood, direction), weight(guidance, direction)];
  const all: Readonly<Partial<Record<MeasureName, number | undefined>>> = {
    priorNorm: norm(prior),
    guidanceNorm: guidance && norm(guidance),
    likelihoodNorm: likelihood && norm(likelihood),
    cosine: guidance && likelihood && cosine(guidance, likelihood),
    relativeError: guidance && likelihood && ratio(norm(plus(guidance, likelihood, -1)), norm(likelihood)),
    priorTermNorm: conditional && data && norm(plus(conditional, data, -1)),
    dataTermNorm: conditional && data && norm(data),
    fittedWeight,
    effectiveWeight,
    fittedUpdate: times(fittedWeight, scoreWeight),
    effectiveUpdate: times(effectiveWeight, scoreWeight),
    cosineConditional: guided && conditional && cosine(guided, conditional),
    cosineUnconditional: guided && cosine(guided, prior),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined && Number.isFinite(value)));
};

/**
 * Norm of the mean of some vectors over their root mean square norm: 0 to 1; 1 / sqrt(count) for independent ones of
 * mean zero.
 */
export const meanShare = (vectors: readonly Float64Array[]): number | undefined => {
  const [first] = vectors;
  if (first === undefined || vectors.length < 2) return undefined;
  const sum = vectors.reduce((total, vector) => plus(total, vector), new Float64Array(first.length));
  return ratio(
    norm(sum) / vectors.length,
    Math.sqrt(vectors.reduce((total, vector) => total + dot(vector, vector), 0) / vectors.length),
  );
};

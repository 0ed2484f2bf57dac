/** In which basis the posterior of a mixture prior stays diagonal, and why there may be none. */
import { rankOf } from './posterior.ts';
import { keyedRandom } from './random.ts';
import { sizeOf } from './shapes.ts';
import { tf } from './tensorflow.ts';
import { disposeTree, stackTrees } from './trees.ts';
import type {
  Covariance,
  Engine,
  GaussianMixture,
  Operator,
  ScoreModel,
  SpectralForm,
  Tensor,
  TensorTree,
} from './types.ts';

/** The most entries of an image for which the posterior is formed with dense float64 matrices. */
const DENSE_LIMIT = 1024;

/** How many columns of V are tried at once. */
const COLUMNS_AT_ONCE = 128;

/** The largest share of || C || (its largest row sum) that a float32 V leaves beside the diagonal of V^T C V. */
const ROUNDING = 5e-6;

type Parts = { readonly model: ScoreModel; readonly operator: Operator };

/** One draw with a batch axis of 1, for what does not depend on the draw. */
export const anyDraw = (operator: Operator): TensorTree =>
  tf.tidy(
    () => stackTrees([operator.draw(keyedRandom('exact: a draw that stands for all'))]) as tf.TensorContainer,
  ) as TensorTree;

/** What the operator says of V; undefined where it has no spectral form. */
const basisOf = (operator: Operator): SpectralForm['basis'] | undefined =>
  tf.tidy(() => operator.svd?.(anyDraw(operator)).basis);

/** Whether covariances of this kind are diagonal in V whatever their numbers; undefined where the numbers decide. */
function staysDiagonal(kind: Covariance['kind'], basis: SpectralForm['basis'] | undefined): boolean | undefined {
  if (basis !== 'pixels' && basis !== 'fixed') return false;
  if (kind === 'isotropic') return true;
  if (basis === 'pixels') return kind === 'diagonal';
  return undefined;
}

const denseRefusal = (why: string, { imageShape }: ScoreModel): string =>
  `${why}, and images of ${sizeOf(imageShape)} entries exceed the dense limit of ${DENSE_LIMIT}`;

/** Why there is no closed form, as far as it is known before the prior is read. */
export function closedFormRefusal({ model, operator }: Parts): string | undefined {
  if (model.mixture === undefined)
    return 'no closed form: the operator is not the identity, and the model is not a prior in closed form (model.mixture)';
  if (!operator.linear) return 'no closed form: the operator is not linear';
  if (sizeOf(model.imageShape) <= DENSE_LIMIT) return undefined;
  const basis = basisOf(operator);
  if (basis === undefined) return denseRefusal('no closed form: the operator has no svd', model);
  const { covariance } = model;
  // A basis that each draw changes suits no prior, of whatever kind.
  if (basis !== 'drawn' && (covariance === undefined || staysDiagonal(covariance, basis) !== false)) return undefined;
  return notDiagonal(covariance, basis, model);
}

function notDiagonal(kind: string | undefined, basis: SpectralForm['basis'], model: ScoreModel): string {
  const covariances = kind === undefined ? 'covariances' : `${kind} covariances`;
  const why = {
    pixels: `${covariances} are not diagonal in pixels, the basis of this operator`,
    fixed: `${covariances} are not diagonal in the basis of this operator's svd`,
    drawn: "the basis of this operator's svd changes with what is drawn",
  }[basis];
  return denseRefusal(`no closed form: ${why}`, model);
}

/** How a posterior is formed: the variances of the prior in V stay diagonal, or dense matrices. */
export type Form =
  | { readonly kind: 'spectral'; readonly basis: 'pixels' | 'fixed'; readonly prior: GaussianMixture }
  | { readonly kind: 'dense' }
  | { readonly kind: 'none'; readonly reason: string };

/**
 * How the posterior of this prior is formed. In a fixed V the numbers of the covariances decide, unless they are
 * isotropic: `prior` then has its covariances in V, as diagonal ones; its means are still those of images.
 */
export async function formOf(engine: Engine, { model, operator }: Parts, prior: GaussianMixture): Promise<Form> {
  const basis = basisOf(operator);
  const { kind } = prior.covariance;
  if (basis === 'pixels' || basis === 'fixed') {
    const diagonal = staysDiagonal(kind, basis);
    if (diagonal === true) return { kind: 'spectral', basis, prior };
    const variances = diagonal === undefined ? await variancesIn(engine, { model, operator }, prior) : undefined;
    if (variances !== undefined)
      return { kind: 'spectral', basis, prior: { ...prior, covariance: { kind: 'diagonal', variances } } };
  }
  if (sizeOf(model.imageShape) <= DENSE_LIMIT) return { kind: 'dense' };
  return {
    kind: 'none',
    reason:
      basis === undefined
        ? denseRefusal('no closed form: the operator has no svd', model)
        : notDiagonal(kind, basis, model),
  };
}

/**
 * The diagonals of V^T C_k V, [K, d], where V makes all covariances diagonal to float32; else undefined, mostly after
 * the first column. s = v^T C v errs with the square of V's rounding where v is an eigenvector. Cost: K d products C v.
 */
async function variancesIn(
  engine: Engine,
  { model: { imageShape }, operator }: Parts,
  prior: GaussianMixture,
): Promise<Float64Array | undefined> {
  const { svd } = operator;
  if (svd === undefined) return undefined;
  const d = sizeOf(imageShape);
  const count = prior.weights.length;
  const variances = new Float64Array(count * d);
  const images = engine.compile((c: Tensor, drawn: TensorTree) => svd(drawn).fromSpectral(c));
  const covariances = Array.from({ length: count }, (_, k) => covarianceAt(prior, k, d));
  const drawn = anyDraw(operator);
  try {
    for (let from = 0; from < d; from += COLUMNS_AT_ONCE) {
      const rows = Math.min(COLUMNS_AT_ONCE, d - from);
      const units = tf.tidy(() => tf.oneHot(tf.range(from, from + rows, 1, 'int32'), d).cast('float32'));
      const columns = await images(units, drawn);
      const values = columns.dataSync();
      disposeTree([units, columns]);
      for (let row = 0; row < rows; row++) {
        const v = Float64Array.from(values.subarray(row * d, (row + 1) * d));
        for (const [k, { times, norm }] of covariances.entries()) {
          const product = times(v);
          const variance = dot(v, product) / dot(v, v);
          const rest = product.map((value, i) => value - variance * (v[i] ?? 0));
          // Variances below the rounding could be anything; dense matrices know them.
          if (!(Math.sqrt(dot(rest, rest)) <= ROUNDING * norm && variance > ROUNDING * norm)) return undefined;
          variances[k * d + from + row] = variance;
        }
      }
    }
    return variances;
  } finally {
    images.dispose();
    disposeTree(drawn);
  }
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);

type Matrix = { readonly times: (v: Float64Array) => Float64Array; readonly norm: number };

/** Component k's covariance, unless it is isotropic, as a product with a vector, and its largest row sum. */
function covarianceAt({ covariance, weights }: GaussianMixture, k: number, d: number): Matrix {
  if (covariance.kind === 'low-rank') {
    const rank = rankOf(covariance, weights.length, d);
    const rows = Array.from({ length: d }, (_, i) =>
      covariance.factors.subarray((k * d + i) * rank, (k * d + i + 1) * rank),
    );
    const variance = covariance.variances[k] ?? 0;
    return {
      times: (v) => {
        const inner = new Float64Array(rank);
        rows.forEach((row, i) => row.forEach((value, l) => (inner[l] = (inner[l] ?? 0) + value * (v[i] ?? 0))));
        return Float64Array.from(rows, (row, i) => dot(row, inner) + variance * (v[i] ?? 0));
      },
      // The trace is no smaller than the largest eigenvalue.
      norm: rows.reduce((sum, row) => sum + dot(row, row), d * variance),
    };
  }
  if (covariance.kind !== 'full') {
    const variances = covariance.variances.subarray(k * d, (k + 1) * d);
    return {
      times: (v) => v.map((value, i) => value * (variances[i] ?? 0)),
      norm: variances.reduce((most, value) => Math.max(most, value), 0),
    };
  }
  const rows = Array.from({ length: d }, (_, i) => covariance.matrices.subarray((k * d + i) * d, (k * d + i + 1) * d));
  return {
    times: (v) => Float64Array.from(rows, (row) => dot(row, v)),
    norm: rows.reduce(
      (most, row) =>
        Math.max(
          most,
          row.reduce((sum, value) => sum + Math.abs(value), 0),
        ),
      0,
    ),
  };
}

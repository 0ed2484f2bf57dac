import { ConfigError } from './errors.ts';
import { rankOf } from './posterior.ts';
import { decodeSafetensors, encodeSafetensors, type SafetensorsInput } from './safetensors.ts';
import type { Covariance, GaussianMixture } from './types.ts';

/**
 * A mixture as safetensors: weights [K], means [K, d], and variances [], [K] or [K, d] (isotropic, diagonal),
 * covariances [K, d, d], triangles [K, d (d + 1) / 2] (their lower triangles, row by row), or factors [K, d, r] with
 * variances [K] (F_k F_k^T + variances[k] I). Sizes and numbers are not checked; `weights` may be missing and need not
 * add up to 1. Throws ConfigError, as `where`, where a tensor is missing.
 */
export function decodeMixture(
  bytes: Uint8Array,
  source: string,
  where: string,
): {
  readonly count: number;
  readonly weights: Float64Array | undefined;
  readonly means: Float64Array;
  readonly covariance: Covariance;
} {
  const tensors = decodeSafetensors(bytes, source);
  const values = (name: string) => {
    const tensor = tensors.get(name);
    return tensor && Float64Array.from(tensor.data, Number);
  };
  const means = values('means');
  if (means === undefined)
    throw new ConfigError(
      where,
      `${source} has no tensor 'means'.`,
      'Store weights [K], means [K, d] and variances or covariances.',
    );
  const [count = 0] = tensors.get('means')?.shape ?? [];
  const shared = { count, weights: values('weights'), means };
  const matrices = values('covariances');
  if (matrices !== undefined) return { ...shared, covariance: { kind: 'full', matrices } };
  const triangles = values('triangles');
  if (triangles !== undefined)
    return { ...shared, covariance: { kind: 'full', matrices: fromTriangles(triangles, count) } };
  const variances = values('variances');
  if (variances === undefined)
    throw new ConfigError(where, `${source} has neither 'variances' nor 'covariances'.`, 'Store one of them.');
  const factors = values('factors');
  if (factors !== undefined) return { ...shared, covariance: { kind: 'low-rank', factors, variances } };
  const rank = tensors.get('variances')?.shape.length ?? 0;
  if (rank === 0) {
    const same = new Float64Array(count).fill(variances[0] ?? 0);
    return { ...shared, covariance: { kind: 'isotropic', variances: same } };
  }
  return { ...shared, covariance: { kind: rank === 1 ? 'isotropic' : 'diagonal', variances } };
}

/** The file that `decodeMixture` reads, in float32; full covariances as triangles. Weights are rounded last. */
export function encodeMixture(
  { weights, means, covariance }: GaussianMixture,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const count = weights.length;
  const d = means.length / count;
  const tensor = (shape: readonly number[], data: Float64Array | Float32Array): SafetensorsInput => ({
    dtype: 'F32',
    shape,
    data: Float32Array.from(data),
  });
  const spread = (): Readonly<Record<string, SafetensorsInput>> => {
    switch (covariance.kind) {
      case 'full':
        return { triangles: tensor([count, (d * (d + 1)) / 2], toTriangles(covariance.matrices, count, d)) };
      case 'low-rank':
        return {
          factors: tensor([count, d, rankOf(covariance, count, d)], covariance.factors),
          variances: tensor([count], covariance.variances),
        };
      case 'diagonal':
        return { variances: tensor([count, d], covariance.variances) };
      case 'isotropic':
        return { variances: tensor([count], covariance.variances) };
    }
  };
  return encodeSafetensors(
    new Map(Object.entries({ weights: tensor([count], weights), means: tensor([count, d], means), ...spread() })),
    metadata,
  );
}

function toTriangles(matrices: Float64Array, count: number, d: number): Float64Array {
  const triangles = new Float64Array((count * d * (d + 1)) / 2);
  let place = 0;
  for (let k = 0; k < count; k++)
    for (let i = 0; i < d; i++) for (let j = 0; j <= i; j++) triangles[place++] = matrices[(k * d + i) * d + j] ?? 0;
  return triangles;
}

function fromTriangles(triangles: Float64Array, count: number): Float64Array {
  const length = triangles.length / count;
  const d = Math.round((Math.sqrt(8 * length + 1) - 1) / 2);
  const matrices = new Float64Array(count * d * d);
  let place = 0;
  for (let k = 0; k < count; k++) {
    for (let i = 0; i < d; i++) {
      for (let j = 0; j <= i; j++) {
        const value = triangles[place++] ?? 0;
        matrices[(k * d + i) * d + j] = value;
        matrices[(k * d + j) * d + i] = value;
      }
    }
  }
  return matrices;
}

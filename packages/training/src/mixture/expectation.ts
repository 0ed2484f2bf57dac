import { tf, type Tensor } from '@tweedie/core';
import { jit, type JitOptions } from '@tweedie/jit';
import type { Moments, Parameters } from './parameters.ts';

/** Patches, row-major [count, size]. */
export type Patches = { readonly values: Float32Array; readonly count: number; readonly size: number };

/** Numbers of projections that a call makes: they stay in the cache of a core. */
const PROJECTIONS = 1 << 21;
/** Rows of a patch matrix whose products are summed at once. */
const ROWS = 512;
/** Responsibilities below this are left out of the sums; what they add up to is less than float32 resolves. */
const LEAST_SHARE = 1e-6;

/** Log densities of patches and responsibilities, and their moments, on the compiled engine. */
export type Expectation = {
  /** ln p(x) of each patch. */
  logDensities(patches: Patches, parameters: Parameters): Promise<Float64Array>;
  /** One E step: the mean of ln p(x) and the moments under the responsibilities of these parameters. */
  moments(patches: Patches, parameters: Parameters): Promise<{ readonly mean: number; readonly moments: Moments }>;
  dispose(): void;
};

/** What the compiled function takes of a mixture. */
type Projections = {
  readonly along: Tensor; // [d, K r]
  readonly offsets: Tensor; // [K r]
  readonly means: Tensor; // [d, K]
  readonly norms: Tensor; // [K]
  readonly precisions: Tensor; // [K], 1 / rest, or 0 where covariances are full
  readonly constants: Tensor; // [K]
};

/**
 * The E step of EM, in float32 with sums in float64.
 *
 *   ln w_k N(x; m_k, C_k) = constant_k - (|x - m_k|^2 / rest_k - |diag(1 / rest - 1 / lambda)^1/2 Q^T (x - m_k)|^2) / 2
 *
 * for a rank below d; full covariances need the second term alone, with 1 / lambda and the other sign.
 * Cost: K d r multiply-adds a patch, then d^2 for each component that has a share in it.
 */
export function createExpectation(options: JitOptions): Expectation {
  const joint = jit(({ x, mixture, sign }: { x: Tensor; mixture: Projections; sign: Tensor }): Tensor => {
    const { along, offsets, means, norms, precisions, constants } = mixture;
    const [count = 1] = constants.shape;
    const projected = x
      .matMul(along)
      .sub(offsets)
      .square()
      .reshape([x.shape[0] ?? 1, count, -1])
      .sum(2);
    const distance = x.square().sum(1, true).add(norms).sub(x.matMul(means).mul(2));
    return constants.sub(distance.mul(precisions).add(projected.mul(sign)).div(2));
  }, options);
  const gram = jit((rows: Tensor): Tensor => rows.matMul(rows, true), options);

  /** Calls `use` with ln w_k N(x; m_k, C_k) of each patch in turn. */
  const eachPatch = async (
    { values, count, size }: Patches,
    parameters: Parameters,
    use: (patch: number, joint: Float32Array) => void,
  ): Promise<void> => {
    const components = parameters.weights.length;
    const batch = Math.min(count, Math.max(16, Math.floor(PROJECTIONS / (components * parameters.rank))));
    const mixture = projectionsOf(parameters);
    const sign = parameters.rank === size ? 1 : -1;
    const padded = new Float32Array(batch * size);
    try {
      for (let from = 0; from < count; from += batch) {
        const rows = Math.min(batch, count - from);
        padded.set(values.subarray(from * size, (from + rows) * size));
        const x = tf.tensor2d(padded, [batch, size]);
        const result = await joint({ x, mixture, sign });
        const logs = result.dataSync() as Float32Array;
        for (let row = 0; row < rows; row++) use(from + row, logs.subarray(row * components, (row + 1) * components));
        tf.dispose([x, result]);
      }
    } finally {
      tf.dispose(Object.values(mixture));
    }
  };

  return {
    async logDensities(patches, parameters) {
      const logs = new Float64Array(patches.count);
      await eachPatch(patches, parameters, (patch, values) => (logs[patch] = logSum(values)));
      return logs;
    },
    async moments(patches, parameters) {
      const { count, size } = patches;
      const components = parameters.weights.length;
      const shares = Array.from({ length: components }, () => ({ patches: new List(), shares: new List() }));
      let sum = 0;
      await eachPatch(patches, parameters, (patch, values) => {
        const log = logSum(values);
        sum += log;
        // Logarithms are turned into responsibilities in place: most are nothing.
        let kept = 0;
        for (let k = 0; k < components; k++) {
          const share = Math.exp((values[k] as number) - log);
          values[k] = share > LEAST_SHARE ? share : 0;
          kept += values[k] as number;
        }
        for (let k = 0; k < components; k++) {
          if (values[k] === 0) continue;
          shares[k]?.patches.push(patch);
          shares[k]?.shares.push((values[k] as number) / kept);
        }
      });
      const counts = new Float64Array(components);
      const means = new Float64Array(components * size);
      const covariances: Float64Array[] = [];
      for (const [k, own] of shares.entries()) {
        const [members, weights] = [own.patches.values(), own.shares.values()];
        const centre = parameters.means.subarray(k * size, (k + 1) * size);
        const { weight, shift, products } = await weighted(gram, patches, members, weights, centre);
        counts[k] = weight;
        for (let i = 0; i < size; i++) means[k * size + i] = (centre[i] ?? 0) + (shift[i] ?? 0);
        for (let i = 0; i < size; i++)
          for (let j = 0; j < size; j++)
            products[i * size + j] = (products[i * size + j] ?? 0) - (shift[i] ?? 0) * (shift[j] ?? 0);
        covariances.push(products);
      }
      return { mean: sum / count, moments: { counts, means, covariances } };
    },
    dispose: () => [joint, gram].forEach((program: { dispose(): void }) => program.dispose()),
  };
}

/** Weight, mean and mean product of x - centre over the members of a component. */
async function weighted(
  gram: (rows: Tensor) => Promise<Tensor>,
  { values, size }: Patches,
  members: Float64Array,
  shares: Float64Array,
  centre: Float64Array,
) {
  const shift = new Float64Array(size);
  const products = new Float64Array(size * size);
  const block = new Float32Array(ROWS * size);
  let weight = 0;
  for (let from = 0; from < members.length; from += ROWS) {
    const rows = Math.min(ROWS, members.length - from);
    block.fill(0, rows * size);
    for (let row = 0; row < rows; row++) {
      const share = shares[from + row] ?? 0;
      const root = Math.sqrt(share);
      const patch = (members[from + row] ?? 0) * size;
      weight += share;
      for (let i = 0; i < size; i++) {
        const offset = (values[patch + i] as number) - (centre[i] as number);
        shift[i] = (shift[i] as number) + share * offset;
        block[row * size + i] = root * offset;
      }
    }
    const x = tf.tensor2d(block, [ROWS, size]);
    const result = await gram(x);
    const sums = result.dataSync();
    for (let i = 0; i < products.length; i++) products[i] = (products[i] as number) + (sums[i] as number);
    tf.dispose([x, result]);
  }
  const scale = weight > 0 ? 1 / weight : 0;
  return { weight, shift: shift.map((value) => value * scale), products: products.map((value) => value * scale) };
}

function projectionsOf({ weights, means, bases, spectra, rests, size, rank }: Parameters): Projections {
  const count = weights.length;
  const full = rank === size;
  const along = new Float32Array(size * count * rank);
  const offsets = new Float32Array(count * rank);
  const turned = new Float32Array(size * count);
  const norms = new Float32Array(count);
  const constants = new Float32Array(count);
  for (let k = 0; k < count; k++) {
    const rest = rests[k] ?? 1;
    let logDeterminant = full ? 0 : (size - rank) * Math.log(rest);
    let norm = 0;
    for (let i = 0; i < size; i++) {
      const value = means[k * size + i] ?? 0;
      turned[i * count + k] = value;
      norm += value * value;
    }
    norms[k] = norm;
    for (let j = 0; j < rank; j++) {
      const variance = spectra[k * rank + j] ?? 1;
      logDeterminant += Math.log(variance);
      const scale = Math.sqrt(full ? 1 / variance : Math.max(0, 1 / rest - 1 / variance));
      let offset = 0;
      for (let i = 0; i < size; i++) {
        const value = scale * (bases[(k * size + i) * rank + j] ?? 0);
        along[(i * count + k) * rank + j] = value;
        offset += value * (means[k * size + i] ?? 0);
      }
      offsets[k * rank + j] = offset;
    }
    constants[k] = Math.log(weights[k] ?? 0) - (logDeterminant + size * Math.log(2 * Math.PI)) / 2;
  }
  return {
    along: tf.tensor2d(along, [size, count * rank]),
    offsets: tf.tensor1d(offsets),
    means: tf.tensor2d(turned, [size, count]),
    norms: tf.tensor1d(norms),
    precisions: tf.tensor1d(Float32Array.from(rests, (rest) => (full ? 0 : 1 / rest))),
    constants: tf.tensor1d(constants),
  };
}

function logSum(values: Float32Array): number {
  let top = -Infinity;
  for (const value of values) if (value > top) top = value;
  let sum = 0;
  for (const value of values) sum += Math.exp(value - top);
  return top + Math.log(sum);
}

/** Numbers that grow in number. */
class List {
  #values = new Float64Array(64);
  #length = 0;
  push(value: number): void {
    if (this.#length === this.#values.length) {
      const larger = new Float64Array(2 * this.#length);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length++] = value;
  }
  values(): Float64Array {
    return this.#values.subarray(0, this.#length);
  }
}

import {
  batchSize,
  closedFormRefusal,
  ConfigError,
  disposeTree,
  fingerprintOf,
  type GuidanceFactory,
  knownPosteriors,
  type Measured,
  mixtureDraws,
  type MixtureDraw,
  mixtureMean,
  oneStep,
  rowOfProblem,
  sizeOf,
  tf,
} from '@tweedie/core';

export interface PosteriorOptions {
  readonly statistic: 'draw' | 'mean';
}

/** What is drawn from one posterior. */
type Ready = { readonly draw: MixtureDraw; readonly mean: Float64Array };

/**
 * The truth that samplers are compared with: independent draws from p(x0 | y) in closed form, for a mixture prior, any
 * linear operator and Gaussian noise,
 *
 *   component k with probability w'_k,   x0 = m'_k + F_k noise,   F_k F_k^T = C'_k
 *
 * (docs/methods.md 3 has w', m' and C'); or, as `statistic: mean`, E[x0 | y] = sum_k w'_k m'_k, the same for every
 * sample. No diffusion: one step from pure noise to the image, whatever the scheduler; its x0hat is E[x0 | y], which
 * is that of pure noise. [B, H, W, C] in, the same out; float64 but for operator and basis. Needs model.mixture,
 * operator.linear; a ConfigError in `bind` where only the numbers of the prior show that there is no closed form.
 * Cost: no forward, no vjp; 1 operator call a problem, or d and K (m^3/3 + 2 m d^2) operations where dense matrices
 * are needed (at most 1024 entries). A posterior is formed once for consecutive samples of one problem.
 * Cardoso et al. 2023, arXiv:2308.07983, Section 5, has the posterior of a mixture of unit covariances.
 */
export const posterior: GuidanceFactory<PosteriorOptions> = ({ statistic }) => ({
  levels: oneStep,
  refuses: closedFormRefusal,
  cost: () => ({ forwards: 0, vjps: 0 }),
  async bind({ engine, model, operator }) {
    const { imageShape } = model;
    const known = await knownPosteriors(engine, { model, operator });
    if (typeof known === 'string')
      throw new ConfigError('guidance/posterior', `${known}.`, 'Use smaller images, or leave this row out.');
    /** Of the problems of the last batch: samples of one problem come one after the other. */
    let last = new Map<string, Ready>();
    const readyOf = async (problem: Measured): Promise<readonly Ready[]> => {
      const [used, order] = [new Map<string, Ready>(), [] as Ready[]];
      for (let row = 0; row < batchSize(problem.y); row++) {
        const own = rowOfProblem(problem, row);
        const key = fingerprintOf([own.y, own.sigmaY, own.drawn]);
        const found = used.get(key) ?? last.get(key) ?? readyFrom((await known.of(own)).law);
        used.set(key, found);
        order.push(found);
        disposeTree([own.y, own.drawn]);
      }
      last = used;
      return order;
    };
    return {
      start: async ({ y }) => tf.zeros([batchSize(y), ...imageShape]),
      async step(xt, _step, problem, random) {
        const ready = await readyOf(problem);
        const d = sizeOf(imageShape);
        const x0hat = await known.toImages(ready.map(({ mean }) => mean));
        if (statistic === 'mean') return { state: x0hat, x0hat: x0hat.clone() };
        const [components, normal] = [random.uniform('component', [ready.length]), random.normal('x0', xt.shape)];
        const [u, noise] = [components.dataSync(), normal.dataSync()];
        disposeTree([components, normal]);
        const draws = ready.map(({ draw }, row) => draw(u[row] ?? 0.5, noise.subarray(row * d, (row + 1) * d)));
        return { state: await known.toImages(draws), x0hat };
      },
      dispose: () => known.dispose(),
    };
  },
});

const readyFrom = (law: Parameters<typeof mixtureDraws>[0]): Ready => ({
  draw: mixtureDraws(law),
  mean: mixtureMean(law),
});

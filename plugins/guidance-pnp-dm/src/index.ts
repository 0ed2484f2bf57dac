import {
  adjointOf,
  type GuidanceFactory,
  type Image,
  type Level,
  levelsThrough,
  type LevelTensors,
  type Measured,
  type MeasuredTensors,
  polynomialSigmas,
  reverseCoefficients,
  sampleNorm,
  type Scalar,
  solveOf,
  type StepRandom,
  tf,
} from '@tweedie/core';

export interface PnpDmOptions {
  readonly iterations: number;
  /** Coupling of the first iteration; each one after has `decay` times that of the one before, down to `rhoMin`. */
  readonly rho: number;
  readonly decay: number;
  readonly rhoMin: number;
  readonly priorSteps: number;
}

/** Least level of the reverse SDE before its end; where couplings are small, a share of them. */
const END = { sigma: 0.01, share: 0.25 };
/** Levels of the reverse SDE are evenly spaced in sigma^(1/7). */
const SPACING = 7;

/**
 * Split Gibbs sampling: image x and a copy z of it, which differ by N(0, rho^2 I), take turns. The copy knows the
 * measurement, the image the prior, and each draw is one of its exact conditional law, for a linear A:
 *
 *   z | x, y  ~  exp(-|| y - A z ||^2 / (2 sigmaY^2) - || z - x ||^2 / (2 rho^2))
 *     z = u + A^T (A A^T + (sigmaY / rho)^2 I)^-1 (y + sigmaY noise' - A u),   u = x + rho noise
 *   x | z     ~  p(x) exp(-|| x - z ||^2 / (2 rho^2)): denoising, by the reverse SDE from level rho, where z is xt
 *
 *   rho_k = max(rhoMin, rho decay^k),   z_0 from x = 0
 *
 * At a fixed rho the images have in the end, whatever the prior, the posterior of a measurement with noise of
 * covariance sigmaY^2 I + rho^2 A A^T; small rho is near the posterior and mixes slowly, hence the annealing. No
 * gradient of the network. Works at whole levels: the state is z, [B, H, W, C], the scheduler is not used, x0hat is the
 * last x, nothing is clamped. Refuses sigmaY 0. Cost an iteration: `priorSteps` forwards, no vjp; A, A^T and a solve.
 * Wu et al. 2024, arXiv:2405.18782, Algorithm 1. Differs: a step of the SDE draws from q(xNext |
 * xt, x0hat), as DDPM does, and begins at rho; the released code takes Euler's step along 100 levels from 80 to 0.002,
 * beginning at the first below rho. One sample is one chain of its own; there, 20 are taken along one.
 */
export const pnpDm: GuidanceFactory<PnpDmOptions> = ({ iterations, rho, decay, rhoMin, priorSteps }) => ({
  levels: (process) =>
    levelsThrough(
      process,
      Array.from({ length: iterations }, (_, k) => Math.max(rhoMin, rho * decay ** k)),
    ).map((pair) => ({ ...pair, scoreWeight: 0, coefficients: {} })),
  refuses: (_, sigmaY) =>
    sigmaY === 0 ? 'it draws from the law of the measurement noise, and sigmaY is 0; give one, say 0.01' : undefined,
  cost: () => ({ forwards: iterations * priorSteps, vjps: 0 }),

  bind({ engine, model, operator }) {
    const [adjoint, solve] = [adjointOf(operator, model.imageShape), solveOf(operator, model.imageShape)];
    const reverse = engine.compile(
      (xt: Image, level: LevelTensors, weights: { x0Weight: Scalar; xtWeight: Scalar; std: Scalar }, noise: Image) =>
        model.predict(xt, level).x0hat.mul(weights.x0Weight).add(xt.mul(weights.xtWeight)).add(noise.mul(weights.std)),
    );
    const couple = engine.compile(
      (
        x: Image,
        { signal, sigma }: LevelTensors,
        { y, drawn, sigmaY }: MeasuredTensors,
        noise: { readonly x: Image; readonly y: Image },
      ) => {
        const u = x.add(noise.x.mul(sigma));
        const rest = y.add(noise.y.mul(sigmaY)).sub(operator.forward(u, drawn));
        return u.add(adjoint(solve(rest, sigmaY.div(sigma).square(), drawn), drawn)).mul(signal);
      },
    );
    const misfit = engine.compile((x: Image, { y, drawn }: MeasuredTensors) =>
      sampleNorm(y.sub(operator.forward(x, drawn))),
    );
    const likelihoodStep = (x: Image, level: Level, problem: Measured, random: StepRandom) =>
      couple(x, level, problem, {
        x: random.normal('copy', x.shape),
        y: random.normal('measurement', problem.y.shape) as Image,
      });

    /** From z of level `from` to x. */
    const priorStep = async (z: Image, from: Level, random: StepRandom): Promise<Image> => {
      const end = Math.min(END.sigma, END.share * from.sigma);
      const path = [...polynomialSigmas(from.sigma, end, priorSteps, SPACING).slice(1), 0];
      let [x, level] = [z, from];
      for (const [i, sigma] of path.entries()) {
        const next = model.process.levelAt(sigma);
        const { x0Weight, xtWeight, variance } = reverseCoefficients(level, next);
        const weights = { x0Weight, xtWeight, std: Math.sqrt(variance) };
        const moved = await reverse(x, level, weights, random.normal(`prior ${i}`, z.shape));
        if (x !== z) x.dispose();
        [x, level] = [moved, next];
      }
      return x;
    };

    return {
      start: ({ y, ...rest }, { level }, random) =>
        likelihoodStep(tf.zeros([y.shape[0] ?? 1, ...model.imageShape]), level, { y, ...rest }, random),
      async step(z, { index, level, next }, problem, random) {
        const x = await priorStep(z, level, random);
        const residualNorm = await misfit(x, problem);
        const state = index === 0 ? x : await likelihoodStep(x, next, problem, random);
        return { state, x0hat: index === 0 ? x.clone() : x, scalars: { residualNorm } };
      },
    };
  },
});

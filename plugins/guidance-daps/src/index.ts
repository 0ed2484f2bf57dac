import {
  disposeTree,
  type GuidanceFactory,
  type Image,
  levelsThrough,
  type LevelTensors,
  type Measured,
  type MeasuredTensors,
  polynomialSigmas,
  sampleNorm,
  sampleSum,
  perSample,
  type Scalar,
  type Step,
  type Tensor,
  tf,
  valueAndGrad,
} from '@tweedie/core';

export interface DapsOptions {
  readonly variant: 'legacy' | 'main';
  /** Noise levels visited. */
  readonly levels: number;
  /** Euler steps of the reverse ODE at each level: one forward each. */
  readonly odeSteps: number;
  readonly sampler: 'langevin' | 'hmc' | 'mh';
  readonly mcmcSteps: number;
  /** Step size at the first level; default: what is stable, sigma^2 tau^2 / (f sigma^2 + tau^2). */
  readonly lr?: number;
  readonly lrMinRatio: number;
  /** Standard deviation of the measurement noise as the method sees it; default: sigmaY. */
  readonly tau?: number;
  readonly momentum: number;
}

/** Ends of the annealing grid, and of the reverse ODE, in units of the image. */
const SIGMA_MAX = 100;
const SIGMA_MIN = 0.1;
const SIGMA_END = 0.01;

const grid = (from: number, to: number, count: number): number[] => polynomialSigmas(from, to, count, 7);

type Convention = {
  /** Factor on the force of the data. */
  readonly force: number;
  /** Noise levels that are visited before the clean end. */
  readonly annealing: (levels: number) => readonly number[];
  readonly ode: (sigma: number, steps: number) => readonly number[];
  /** Levels over which the step size falls. */
  readonly decay: (levels: number) => number;
};
const conventions: Record<DapsOptions['variant'], Convention> = {
  legacy: {
    force: 1,
    annealing: (levels) => grid(SIGMA_MAX, SIGMA_MIN, levels),
    ode: (sigma, steps) => [...grid(sigma, SIGMA_END, steps), 0],
    decay: (levels) => levels,
  },
  main: {
    force: 2,
    annealing: (levels) => grid(SIGMA_MAX, SIGMA_MIN, levels + 1).slice(0, -1),
    ode: (sigma, steps) => grid(sigma, SIGMA_END, steps + 1),
    decay: (levels) => levels + 1,
  },
};

/**
 * Steps of a chain in one compiled call: what calls cost is then small beside the arithmetic, and compiling takes no
 * longer than a second.
 */
const STEPS_PER_CALL = 10;

/** The state of a chain; `velocity` moves with HMC only and is 0 otherwise. */
type Chain = { readonly x: Image; readonly velocity: Tensor };
type Draws = { readonly noise: Image; readonly uniform: Tensor };
type Target = { readonly energy: (x: Image) => Tensor; readonly eta: Scalar; readonly momentum: Scalar };

const downhill = (x: Image, { energy }: Target): Image => valueAndGrad((at) => [energy(at), []], x).gradient.neg();

/** One step of a chain whose target is exp(-energy). */
const moves: Record<DapsOptions['sampler'], (chain: Chain, draws: Draws, target: Target) => Chain> = {
  langevin: ({ x, velocity }, { noise }, target) => ({
    x: x.add(downhill(x, target).mul(target.eta)).add(noise.mul(target.eta.mul(2).sqrt())),
    velocity,
  }),
  hmc({ x, velocity: before }, { noise }, target) {
    const { eta, momentum } = target;
    const velocity = before
      .mul(momentum)
      .add(downhill(x, target).mul(eta.sqrt()))
      .add(noise.mul(tf.sub(1, momentum).mul(2).sqrt()));
    return { x: x.add(velocity.mul(eta.sqrt())), velocity };
  },
  mh({ x, velocity }, { noise, uniform }, { energy, eta }) {
    const proposal = x.add(noise.mul(eta.sqrt()));
    const accepted = perSample(uniform.log().less(energy(x).sub(energy(proposal))), x);
    return { x: tf.where(accepted, proposal, x), velocity };
  },
};

/**
 * Decoupled annealing posterior sampling: at each level, from much noise to little, a clean estimate by the reverse
 * ODE, a chain of Markov steps from it to a sample that fits y, and fresh noise of the next level on that sample.
 * Consecutive states are tied by nothing else.
 *
 *   x0hat  = `odeSteps` Euler steps in sigma of dz/dsigma = (z - D(z; sigma)) / sigma from z = xt / signal
 *            (no gradient of the network)
 *   x0y    : chain for exp(-f || A(x) - y ||^2 / (2 tau^2) - || x - x0hat ||^2 / (2 sigma^2)), started at x0hat
 *   xNext  = signalNext x0y + noiseNext noise
 *
 *   sampler    step, F = -gradient of the exponent's negative
 *   langevin   x + eta F + sqrt(2 eta) noise
 *   hmc        v = momentum v + sqrt(eta) F + sqrt(2 (1 - momentum)) noise,  x + sqrt(eta) v
 *   mh         x + sqrt(eta) noise, accepted with probability min(1, exp(-change of the exponent)); f = 1
 *
 *   variant    f   levels                                 ODE ends
 *   legacy     1   100 to 0.1, then 0                     at 0
 *   main       2   100 to 0.1, the last replaced by 0     at 0.01
 *
 * Both are released; f = 1 is the posterior for measurement noise tau, f = 2 that for tau / sqrt(2). eta = lr (1 +
 * ratio (lrMinRatio - 1)), ratio the share of levels done. Where the published code fixes tau = 0.01 and lr = 1e-4
 * whatever the noise, the defaults follow it: tau = sigmaY, and lr sigma^2 tau^2 / (f sigma^2 + tau^2), stable for
 * || A ||^2 <= 2, which for f = 1 and tau = 0.01 is 1e-4; the presets hold the published ones.
 * The scheduler is not used, x0hat not clamped. The network is asked at the table's own index of a level
 * (docs/methods.md 1.6), where the released code asks half an index higher and more.
 * Cost a level: `odeSteps` forwards, no vjp, 2 `mcmcSteps` + 1 operator calls. xt, x0hat [B, H, W, C]. Refuses sigmaY 0
 * where tau is absent.
 * Zhang et al. 2025, arXiv:2407.01521, Algorithm 1. A chain that leaves the numbers fails its sample, where the
 * released code returns a black image.
 */
export const daps: GuidanceFactory<DapsOptions> = ({
  variant,
  levels,
  odeSteps,
  sampler,
  mcmcSteps,
  lr,
  lrMinRatio,
  tau,
  momentum,
}) => {
  const { force, annealing, ode, decay } = conventions[variant];
  const factor = sampler === 'mh' ? 1 : force;
  const numbersOf = ({ index, level: { sigma } }: Step, { sigmaY }: Measured) => {
    const noise = tau ?? sigmaY;
    const share = (levels - 1 - index) / decay(levels);
    const stable = (sigma * noise) ** 2 / (factor * sigma ** 2 + noise ** 2);
    return { sigma, tau: noise, eta: (lr ?? stable) * (1 + share * (lrMinRatio - 1)), momentum };
  };
  return {
    levels: (process) =>
      levelsThrough(process, annealing(levels)).map(({ index, level, next }) => ({
        index,
        level,
        next,
        scoreWeight: (next.signal * level.noise ** 2) / level.signal,
        coefficients: {},
      })),
    refuses: (_, sigmaY) =>
      tau === undefined && sigmaY === 0
        ? 'tau is sigmaY by default, and sigmaY is 0; give tau, for instance 0.01'
        : undefined,
    cost: () => ({ forwards: levels * odeSteps, vjps: 0 }),

    bind({ engine, model, operator }) {
      /**
       * One Euler step in sigma, in the units of the process: the predicted image under less of the predicted
       * noise.
       */
      const flow = engine.compile(
        (xt: Image, level: LevelTensors, next: { readonly signal: Scalar; readonly noise: Scalar }) => {
          const { x0hat, epsilon } = model.predict(xt, level);
          return x0hat.mul(next.signal).add(epsilon.mul(next.noise));
        },
      );
      const move = engine.compile(
        (
          start: Chain,
          x0hat: Image,
          { y, drawn }: MeasuredTensors,
          numbers: { sigma: Scalar; tau: Scalar; eta: Scalar; momentum: Scalar },
          draws: readonly Draws[],
        ) => {
          const { sigma, tau, eta, momentum } = numbers;
          const weight = tau.square().mul(2).reciprocal().mul(factor);
          const energy = (x: Image) =>
            sampleSum(y.sub(operator.forward(x, drawn)).square())
              .mul(weight)
              .add(sampleSum(x.sub(x0hat).square()).div(sigma.square().mul(2)));
          return draws.reduce((chain, each) => moves[sampler](chain, each, { energy, eta, momentum }), start);
        },
      );
      const renoise = engine.compile(
        (x: Image, x0hat: Image, next: LevelTensors, { y, drawn }: MeasuredTensors, noise: Image) => ({
          state: x.mul(next.signal).add(noise.mul(next.noise)),
          x0hat,
          scalars: { residualNorm: sampleNorm(y.sub(operator.forward(x0hat, drawn))) },
        }),
      );

      return {
        async step(xt, step, problem, random) {
          const numbers = numbersOf(step, problem);
          const draw = (purpose: string, donated?: Tensor) => random.normal(purpose, xt.shape, donated);
          const path = ode(step.level.sigma, odeSteps).map((sigma) => model.process.levelAt(sigma));
          let x0hat = xt;
          for (const [i, level] of path.slice(0, -1).entries()) {
            const next = path[i + 1] ?? level;
            // The state at the end of the path is taken for the image, so that signal is 1 there.
            x0hat = await flow(
              x0hat,
              level,
              i === odeSteps - 1 ? { signal: 1, noise: next.sigma } : { signal: next.signal, noise: next.noise },
            );
          }
          // The velocity is a tensor in any case: a number would be another signature, and the first call of a level
          // another compilation.
          let chain: Chain = { x: x0hat, velocity: sampler === 'hmc' ? draw('velocity') : tf.scalar(0) };
          // Each call's noise lies in the memory of the call before: fresh memory for all of a level costs more than
          // the arithmetic.
          let noises: Image[] = [];
          for (let done = 0; done < mcmcSteps; done += STEPS_PER_CALL) {
            const used = noises;
            noises = Array.from({ length: Math.min(STEPS_PER_CALL, mcmcSteps - done) }, (_, i) =>
              draw(`mcmc ${done + i}`, used[i]),
            );
            const draws = noises.map((noise, i) => ({
              noise,
              uniform: sampler === 'mh' ? random.uniform(`accept ${done + i}`, [xt.shape[0]]) : 0,
            }));
            const before = chain;
            chain = await move(before, x0hat, problem, numbers, draws);
            if (done > 0) disposeTree(before);
          }
          return renoise(chain.x, x0hat, step.next, problem, draw('renoise'));
        },
      };
    },
  };
};

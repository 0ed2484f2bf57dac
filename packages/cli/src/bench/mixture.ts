/**
 * DPS on GMM-25: 1000 samples, 8 dimensions, 25 components, 100 steps. The network is tiny, so this times everything
 * around it.
 */
import {
  bindGuidance,
  type Container,
  disposeTree,
  mixtureModel,
  type Operator,
  sampleBatch,
  tf,
  vpProcess,
} from '@tweedie/core';
import * as p1 from './gmm25.ts';
import { type Contender, type Machine, type Seconds, showMachine, takeTurns, thisMachine } from './measure.ts';
import { type TorchProcess, torchProcess } from './torch.ts';

const samples = 1000;
const steps = 100;
const scale = 0.1;
const eta = 0.6;

export type MixtureBench = {
  readonly machine: Machine;
  readonly task: string;
  /** Seconds of sampling, compilation excluded: median and smallest of the repetitions. */
  readonly seconds: Readonly<Record<string, Seconds>>;
  /** Median seconds of each other contender over ours. */
  readonly ratios: Readonly<Record<string, number>>;
};

export async function benchMixture(
  container: Container,
  { repeats = 7, torch }: { readonly repeats?: number | undefined; readonly torch?: string | undefined },
): Promise<MixtureBench> {
  const engines = [await engineContender(container, 'onnxruntime'), await engineContender(container, 'eager')];
  const python: TorchProcess | undefined =
    torch === undefined ? undefined : await torchProcess(torch, 'mixture.py', { ...p1, samples, steps, scale, eta });
  const inTorch = (python?.modes ?? []).map((mode) => ({
    name: `torch ${python?.version} ${mode}`,
    run: () => python?.run(mode),
  }));
  const seconds = Object.fromEntries(await takeTurns([...engines, ...inTorch], repeats));
  for (const { dispose } of engines) dispose();
  python?.dispose();
  const ours = seconds['onnxruntime']?.median ?? NaN;
  return {
    machine: thisMachine(),
    task: `DPS, ${samples} samples of the 8-dimensional mixture of 25 Gaussians (GMM-25 p1), ${steps} steps of DDIM eta ${eta}`,
    seconds,
    ratios: Object.fromEntries(Object.entries(seconds).map(([name, { median: other }]) => [name, other / ours])),
  };
}

async function engineContender(container: Container, id: string): Promise<Contender & { dispose(): void }> {
  const matrix = tf.tensor2d(p1.A, [p1.A.length, 1]);
  const operator: Operator = {
    linear: true,
    measurementShape: [1],
    draw: () => ({}),
    forward: (x) => x.reshape([x.shape[0], -1]).matMul(matrix),
  };
  const model = mixtureModel({
    imageShape: [1, 1, p1.A.length],
    process: vpProcess(p1.betas),
    mixture: () => ({
      weights: Float64Array.from(p1.weights),
      means: Float64Array.from(p1.means.flat()),
      covariance: { kind: 'isotropic', variances: new Float64Array(p1.weights.length).fill(1) },
    }),
  });
  await model.load?.();
  const bound = await bindGuidance(await container.plugin('guidance', { id: 'dps', options: { scale } }), {
    engine: await container.plugin('engine', { id }),
    model,
    operator,
    scheduler: await container.plugin('scheduler', { id: 'ddim', options: { steps, eta } }),
  });
  const problem = { y: tf.fill([samples, 1], p1.y), sigmaY: p1.sigmaY, drawn: {} };
  const keys = Array.from({ length: samples }, (_, sample) => ({ seed: 0, problem: 'p1', sample }));
  return {
    name: id,
    async run() {
      const { x } = await sampleBatch({ bound, imageShape: model.imageShape, problem, keys });
      x.dispose();
    },
    dispose: () => {
      bound.dispose();
      model.dispose?.();
      disposeTree([problem.y, matrix]);
    },
  };
}

/** Lays out a result for a person to read. */
export function showMixtureBench({ machine, task, seconds, ratios }: MixtureBench): string {
  const width = Math.max(...Object.keys(seconds).map((name) => name.length));
  return [
    task,
    showMachine(machine),
    '',
    `${''.padEnd(width)}   first run   median s     best s   times ours`,
    ...Object.entries(seconds).map(
      ([name, { first, median: middle, best }]) =>
        `${name.padEnd(width)} ${[first, middle, best].map((value) => value.toFixed(3).padStart(11)).join('')} ${(ratios[name] ?? NaN).toFixed(2).padStart(12)}`,
    ),
    '',
    'Sampling alone: the first run, which compiles, is not in the median. Contenders take turns.',
  ].join('\n');
}

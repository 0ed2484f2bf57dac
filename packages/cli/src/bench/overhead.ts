/**
 * The overhead of a guided step: steps through the sampling loop beside the passes of the U-Net that they make,
 * compiled alone.
 */
import {
  at,
  bindGuidance,
  conflict,
  type Container,
  type Cost,
  disposeTree,
  type Draw,
  drawBatch,
  type Engine,
  fromEpsilonNetwork,
  type Guidance,
  type Image,
  keyedRandom,
  makeProblem,
  noiseProcess,
  type Problem,
  type ScoreModel,
  type Setting,
  type TensorTree,
  tf,
} from '@tweedie/core';
import { admPlan, type AdmUnet, admPrediction, admUnet, randomAdmWeights } from '@tweedie/networks';
import { type Contender, type Machine, median, showMachine, thisMachine, type Turn, turnsOf } from './measure.ts';
import { type Both, unetCalls } from './unet.ts';
import { describeUnet, repeatsOf, type UnetSizeName, unetSizes } from './unet-sizes.ts';

/**
 * How many steps a turn has, in the middle of a schedule; making the first state and handing back the last are in its
 * time.
 */
const STEPS = 2;
const sigmaY = 0.05;

type OverheadRow = {
  readonly method: string;
  /** How many passes through the network a step makes. */
  readonly forwards: number;
  readonly vjps: number;
  /** Seconds of a step, and below of its passes through the network compiled alone. */
  readonly seconds: Both;
  readonly network: Both;
  /**
   * The share of a step that is not the network's, of wall-clock time and of the time on all cores; medians over
   * rounds.
   */
  readonly overhead: { readonly seconds: number; readonly cpuSeconds: number };
  /**
   * The share of a step outside the compiled calls that contain the network, by the clock within the step; median over
   * rounds.
   */
  readonly outside: number;
};

export type OverheadBench = {
  readonly machine: Machine;
  readonly size: UnetSizeName;
  readonly network: string;
  readonly threads: number;
  readonly repeats: number;
  readonly rows: readonly OverheadRow[];
  readonly skipped: readonly { readonly method: string; readonly reason: string }[];
};

export type OverheadOptions = {
  /** Ids of guidance plugins; default: all of the registry. */
  readonly methods?: readonly string[] | undefined;
  readonly size: UnetSizeName;
  readonly repeats?: number | undefined;
  readonly threads: number;
};

export async function benchOverhead(
  container: Container,
  { methods, size, repeats = repeatsOf(size, 1), threads }: OverheadOptions,
  report: (line: string) => void,
): Promise<OverheadBench> {
  const { registry } = container;
  const manifests =
    methods?.map((id) => registry.find('guidance', id)) ?? registry.manifests.filter(({ kind }) => kind === 'guidance');
  const { config } = unetSizes[size];
  report(`${size}: making weights`);
  const unet = admUnet(config, randomAdmWeights(config, 0));
  const setting = await inpainting(container, modelOf(size, unet), threads);
  const { imageShape } = setting.model;
  const x0 = keyedRandom('bench')
    .normal('x0', imageShape[0] * imageShape[1] * imageShape[2])
    .map((value) => Math.tanh(value));
  const problem = makeProblem({
    name: 'bench',
    x0,
    imageShape,
    operator: setting.operator,
    operatorKey: 'bench',
    sigmaY,
    seed: 0,
  });
  const passes = barePasses(setting, unet);

  const rows: OverheadRow[] = [];
  const skipped: { method: string; reason: string }[] = [];
  for (const manifest of manifests) {
    const method = manifest.id;
    const guidance = await container.plugin('guidance', { id: method });
    const reason = conflict({ ...setting, guidance, noise: sigmaY }, { guidance: manifest });
    if (reason !== undefined) {
      skipped.push({ method, reason });
      continue;
    }
    report(`${size}, ${method}: compiling, then ${repeats} rounds`);
    rows.push({ method, ...(await benchOne(guidance, { setting, problem, passes, repeats })) });
  }
  passes.dispose();
  return { machine: thisMachine(), size, network: describeUnet(config), threads, repeats, rows, skipped };
}

/** Makes a model of a network: a prior that predicts its variance. */
function modelOf(size: UnetSizeName, unet: AdmUnet): ScoreModel {
  const { imageSize, inChannels } = admPlan(unetSizes[size].config);
  const network = fromEpsilonNetwork({
    imageShape: [imageSize, imageSize, inChannels],
    process: noiseProcess(),
    range: [-1, 1],
    weightsHash: () => 'random',
    network: (x, t) => admPrediction(unet(x, t), true),
  });
  return { ...network, predictsVariance: true };
}

const inpainting = async (container: Container, model: ScoreModel, threads: number): Promise<Setting> => ({
  model,
  engine: await container.plugin('engine', { id: 'onnxruntime', options: { threads } }),
  operator: await container.plugin('operator', { id: 'inpaint' }, { imageShape: model.imageShape }),
  scheduler: await container.plugin('scheduler', { id: 'ddpm', options: { variance: 'learned-range' } }),
});

type Passes = { run(cost: Omit<Cost, 'operatorCalls'>): Promise<void>; dispose(): void };

/** Compiles calls of the network alone, one image each: forward, or forward and back. */
function barePasses(
  {
    engine,
    model: {
      imageShape: [height, width, channels],
    },
  }: Setting,
  unet: AdmUnet,
): Passes {
  const [forward, both] = [engine.compile(unetCalls.forward(unet)), engine.compile(unetCalls['forward+vjp'](unet))];
  const noise = (depth: number, seed: number): Image =>
    tf.randomNormal([1, height, width, depth], 0, 1, 'float32', seed);
  const inputs = [noise(channels, 1), tf.fill([1], 500), noise(2 * channels, 2)] as const;
  return {
    async run({ forwards, vjps }) {
      for (let pass = 0; pass < forwards; pass++) disposeTree(await (pass < vjps ? both : forward)(...inputs));
    },
    dispose() {
      for (const each of [forward, both, ...inputs]) each.dispose();
    },
  };
}

/** Wraps an engine so that it adds up the seconds of the calls in which the network runs. */
function watched(engine: Engine): { readonly engine: Engine; readonly takeSeconds: () => number } {
  let seconds = 0;
  return {
    engine: {
      ...engine,
      compile(fn) {
        const compiled = engine.compile(fn);
        return new Proxy(compiled, {
          async apply(_, self, args) {
            const [started, before] = [performance.now(), compiled.cost.forwards];
            const result: unknown = await Reflect.apply(compiled, self, args);
            if (compiled.cost.forwards > before) seconds += (performance.now() - started) / 1000;
            return result;
          },
        });
      },
    },
    takeSeconds() {
      const taken = seconds;
      seconds = 0;
      return taken;
    },
  };
}

type Task = { readonly setting: Setting; readonly problem: Problem; readonly passes: Passes; readonly repeats: number };

async function benchOne(
  guidance: Guidance<TensorTree>,
  { setting, problem, passes, repeats }: Task,
): Promise<Omit<OverheadRow, 'method'>> {
  const { engine, takeSeconds } = watched(setting.engine);
  const bound = await bindGuidance(guidance, { ...setting, engine });
  const from = bound.steps.length >> 1;
  const steps = bound.steps.slice(from, from + STEPS);
  const draw: Draw = {
    bound: { ...bound, steps },
    imageShape: setting.model.imageShape,
    problems: [problem],
    samples: [0],
    seed: 0,
  };
  const sampled = (): Promise<Cost> =>
    drawBatch(draw, ({ cost, failures: [failure] }) => {
      if (failure !== undefined) throw new Error(`bench overhead: a sample failed: ${failure.reason}.`);
      return cost;
    });
  const cost = await sampled();
  if (cost.vjps > cost.forwards)
    throw new Error('bench overhead: passes back without one forward cannot be timed alone.');
  const within: number[] = [];
  const step = async (): Promise<void> => {
    takeSeconds();
    await sampled();
    within.push(takeSeconds());
  };
  const contenders: readonly Contender[] = [
    { name: 'step', run: step },
    { name: 'network', run: () => passes.run(cost) },
  ];
  const turns = await turnsOf(contenders, repeats);
  bound.dispose();

  const [whole, alone] = ['step', 'network'].map((name) => (turns.get(name) ?? []).slice(1)) as [Turn[], Turn[]];
  const perStep = (some: readonly Turn[]): Both => {
    const values = some.map(({ seconds }) => seconds / steps.length);
    return { median: median(values), best: Math.min(...values) };
  };
  const overhead = (clock: keyof Turn): number =>
    median(whole.map((step, round) => 1 - at(alone, round, 'round')[clock] / step[clock]));
  return {
    forwards: cost.forwards / steps.length,
    vjps: cost.vjps / steps.length,
    seconds: perStep(whole),
    network: perStep(alone),
    overhead: { seconds: overhead('seconds'), cpuSeconds: overhead('cpuSeconds') },
    outside: median(whole.map(({ seconds }, round) => 1 - at(within, round + 1, 'round') / seconds)),
  };
}

/** Lays out a result for a person to read. */
export function showOverheadBench({ machine, size, network, threads, repeats, rows, skipped }: OverheadBench): string {
  const width = Math.max(...rows.map(({ method }) => method.length));
  const milliseconds = ({ median: middle, best }: Both): string =>
    `${(1000 * middle).toFixed(1)} (${(1000 * best).toFixed(1)})`.padStart(18);
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`.padStart(12);
  return [
    `A step beside the passes of the network that it makes: inpainting, ddpm, one image; U-Net ${size}: ${network}; random weights`,
    `${showMachine(machine)}; ${threads} threads; ${repeats} rounds`,
    '',
    `${''.padEnd(width)}  forwards  vjps${'ms a step'.padStart(18)}${'network alone'.padStart(18)}${'overhead'.padStart(12)}${'of CPU time'.padStart(13)}${'outside'.padStart(12)}`,
    ...rows.map(
      ({ method, forwards, vjps, seconds, network: alone, overhead, outside }) =>
        `${method.padEnd(width)}${String(forwards).padStart(10)}${String(vjps).padStart(6)}${milliseconds(seconds)}${milliseconds(alone)}${percent(overhead.seconds)} ${percent(overhead.cpuSeconds)}${percent(outside)}`,
    ),
    ...skipped.map(({ method, reason }) => `${method} left out: ${reason}`),
    '',
    'Median (best). Step and network take turns; the overhead is the share of a step that the network alone does not take: random numbers, the',
    'method and the scheduler in the graph, the watch for NaN, copies; median over rounds. Other programs disturb the time on all cores less than',
    'the wall clock. A share near 0 is below what a shared machine lets one see, and may be negative. outside: the share of a step outside the',
    'compiled calls in which the network runs, by the clock within the step, which other programs hardly disturb.',
  ].join('\n');
}

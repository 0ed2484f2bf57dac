/** Times the ADM U-Net, forward and with its input gradient, beside convolutions and, on request, PyTorch. */
import { type Image, type Tensor, tf, type TensorTree, valueAndGrad } from '@tweedie/core';
import { jit, type Jitted, onnxRuntimeFacts } from '@tweedie/jit';
import { admMultiplyAdds, admPlan, admUnet, type AdmUnet, randomAdmWeights } from '@tweedie/networks';
import { convolutions } from './convolutions.ts';
import { type Machine, type Seconds, takeTurns, thisMachine } from './measure.ts';
import { type TorchMemory, type TorchProcess, torchProcess } from './torch.ts';
import { describeUnet, repeatsOf, type UnetSize, type UnetSizeName, unetSizes } from './unet-sizes.ts';

export type UnetOptions = {
  readonly size: UnetSizeName;
  readonly batch: number;
  readonly repeats?: number | undefined;
  readonly threads: number;
  /** Path of a Python that has torch; without one PyTorch is left out. */
  readonly torch?: string | undefined;
};

/** A number from the median and from the best time. */
export type Both = { readonly median: number; readonly best: number };

export type UnetRow = {
  readonly batch: number;
  readonly what: 'forward+vjp' | 'forward';
  readonly repeats: number;
  readonly compileSeconds: number;
  readonly firstSeconds: number;
  readonly seconds: Both;
  readonly imagesPerSecond: Both;
  readonly gflop: number;
  readonly gflopPerSecond: Both;
  /** The fastest of the convolutions in the same rounds. */
  readonly peak: { readonly layer: string; readonly gflopPerSecond: number };
  readonly fraction: Both;
  readonly operations: number;
  /**
   * Peak memory of the process after two calls. Only forward+vjp has it, which comes first: memory that was used once
   * is not seen to be given back.
   */
  readonly peakRssBytes?: number;
  readonly torch?: Readonly<Record<TorchMode, Both>>;
  /** Seconds of PyTorch over ours, in float32 and its better layout; as it is installed, and keeping its memory. */
  readonly ratio?: Readonly<Record<TorchMemory, Both>>;
};

export type UnetBench = {
  readonly machine: Machine;
  readonly size: UnetSizeName;
  readonly network: string;
  readonly parameters: number;
  readonly threads: number;
  readonly torch?: string;
  readonly rows: readonly UnetRow[];
};

/** What is timed in PyTorch: how it treats its memory, then its layout and its precision in the words of unet.py. */
const torchModes = {
  NCHW: ['installed', 'contiguous', ''],
  channels_last: ['installed', 'channels_last', ''],
  'NCHW, memory kept': ['kept', 'contiguous', ''],
  'channels_last, memory kept': ['kept', 'channels_last', ''],
  'NCHW, memory kept, bfloat16': ['kept', 'contiguous', ' bfloat16'],
  'channels_last, memory kept, bfloat16': ['kept', 'channels_last', ' bfloat16'],
} as const;
export type TorchMode = keyof typeof torchModes;

type Arguments = [x: Image, t: Tensor, cotangent: Image];
/** The calls of the network alone that are timed. */
export const unetCalls: Readonly<Record<UnetRow['what'], (unet: AdmUnet) => (...args: Arguments) => TensorTree>> = {
  'forward+vjp': (unet) => (x, t, cotangent) => {
    const { value, gradient } = valueAndGrad((z) => [unet(z, t).mul(cotangent).sum(), []], x);
    return { value, gradient };
  },
  forward: (unet) => (x, t) => unet(x, t),
};

export async function benchUnet(
  { size, batch, repeats = repeatsOf(size, batch), threads, torch }: UnetOptions,
  report: (line: string) => void,
): Promise<UnetBench> {
  const { config }: UnetSize = unetSizes[size];
  const { imageSize, inChannels, outChannels } = admPlan(config);
  report(`${size}, batch ${batch}: making weights`);
  const startTorch = (memory: TorchMemory): Promise<TorchProcess> =>
    torchProcess(torch ?? '', 'unet.py', { threads, batch, network: inTorch(config, outChannels) }, memory);
  const python =
    torch === undefined ? undefined : { installed: await startTorch('installed'), kept: await startTorch('kept') };
  const weights = randomAdmWeights(config, 0);
  const unet = admUnet(config, weights);
  const noise = (channels: number, seed: number): Image =>
    tf.randomNormal([batch, imageSize, imageSize, channels], 0, 1, 'float32', seed);
  const args: Arguments = [noise(inChannels, 1), tf.fill([batch], 500), noise(outChannels, 2)];
  // ONNX Runtime is loaded before the clock of compiling starts.
  await onnxRuntimeFacts();

  const gflop = (2 * batch * admMultiplyAdds(config)) / 1e9;
  const rows: UnetRow[] = [];
  for (const what of ['forward+vjp', 'forward'] as const) {
    const compiled = jit(unetCalls[what](unet), { threads });
    rows.push({
      batch,
      what,
      ...(await benchOne(
        { compiled, args, what, gflop: what === 'forward' ? gflop : 2 * gflop, batch, repeats, threads, python },
        (line) => report(`${size}, batch ${batch}, ${what}: ${line}`),
      )),
    });
    compiled.dispose();
  }
  for (const process of Object.values(python ?? {})) process.dispose();
  tf.dispose([...weights.values(), ...args]);
  return {
    machine: thisMachine(),
    size,
    network: describeUnet(config),
    parameters: [...weights.values()].reduce((sum, { size: numbers }) => sum + numbers, 0),
    threads,
    ...(python && { torch: python.kept.version }),
    rows,
  };
}

type Task = {
  readonly compiled: Jitted<Arguments, TensorTree>;
  readonly args: Arguments;
  readonly what: UnetRow['what'];
  readonly gflop: number;
  readonly batch: number;
  readonly repeats: number;
  readonly threads: number;
  readonly python: Readonly<Record<TorchMemory, TorchProcess>> | undefined;
};

async function benchOne(
  { compiled, args, what, gflop, batch, repeats, threads, python }: Task,
  report: (line: string) => void,
): Promise<Omit<UnetRow, 'batch' | 'what'>> {
  const run = async (): Promise<void> => void tf.dispose((await compiled(...args)) as tf.TensorContainer);
  report('compiling');
  const [{ operations }, compileSeconds] = await timed(() => compiled.prepare(...args));
  const [, firstSeconds] = await timed(run);
  await run();
  const peakRssBytes = process.resourceUsage().maxRSS * 1024;

  report(`${repeats} rounds`);
  const layers = convolutions(threads);
  const modes = python === undefined ? [] : (Object.keys(torchModes) as TorchMode[]);
  const inTurn = modes.map((name) => ({
    name,
    run: () => python?.[torchModes[name][0]].run(torchCommand(name, what)),
  }));
  // Convolutions before and after ours: in the same phases of the machine, and PyTorch's threads have gone to sleep
  // when ours wake.
  const times = await takeTurns([...layers, { name: 'ours', run }, ...layers, ...inTurn], repeats);
  for (const { dispose } of layers) dispose();

  const of = (name: string): Seconds => times.get(name) ?? { median: NaN, best: NaN, first: NaN };
  const both = (name: string): Both => ({ median: of(name).median, best: of(name).best });
  const seconds = both('ours');
  const betterOf = (one: TorchMode, other: TorchMode): Both => ({
    median: Math.min(of(one).median, of(other).median) / seconds.median,
    best: Math.min(of(one).best, of(other).best) / seconds.best,
  });
  const peak = layers
    .map((layer) => ({ layer: layer.name, gflopPerSecond: layer.gflop / of(layer.name).best }))
    .reduce((fastest, other) => (other.gflopPerSecond > fastest.gflopPerSecond ? other : fastest));
  return {
    repeats,
    compileSeconds,
    firstSeconds,
    seconds,
    imagesPerSecond: eachOf(seconds, (time) => batch / time),
    gflop,
    gflopPerSecond: eachOf(seconds, (time) => gflop / time),
    peak,
    fraction: eachOf(seconds, (time) => gflop / time / peak.gflopPerSecond),
    operations,
    ...(what === 'forward+vjp' && { peakRssBytes }),
    ...(python && {
      torch: Object.fromEntries(modes.map((name) => [name, both(name)])) as Record<TorchMode, Both>,
      ratio: {
        installed: betterOf('NCHW', 'channels_last'),
        kept: betterOf('NCHW, memory kept', 'channels_last, memory kept'),
      },
    }),
  };
}

const eachOf = ({ median, best }: Both, fn: (seconds: number) => number): Both => ({
  median: fn(median),
  best: fn(best),
});

async function timed<T>(fn: () => Promise<T>): Promise<readonly [result: T, seconds: number]> {
  const started = performance.now();
  const result = await fn();
  return [result, (performance.now() - started) / 1000];
}

function torchCommand(mode: TorchMode, what: UnetRow['what']): string {
  const [, layout, precision] = torchModes[mode];
  return `${layout} ${what === 'forward' ? 'forward' : 'vjp'}${precision}`;
}

/** Describes the network by the names of unet.py. */
const inTorch = (config: UnetSize['config'], outputs: number): object => ({
  size: config.image_size,
  width: config.num_channels,
  multipliers: config.channel_mult.split(',').map(Number),
  blocks: config.num_res_blocks,
  attention: String(config.attention_resolutions).split(',').map(Number),
  head: config.num_head_channels,
  outputs,
});

import { Args, Command, Flags } from '@oclif/core';
import type { Container } from '@tweedie/core';
import { ConfigError } from '@tweedie/core/registry';
import { type UnetSizeName, unetSizes } from '../bench/unet-sizes.ts';
import { registriesOf, type RegistryFlags, registryFlag } from '../registry-flag.ts';

/** `tweedie bench` measures speed on this machine, beside something to compare it with. */
export class Bench extends Command {
  static override summary = 'Measure speed here, as ratios within one run.';
  static override description = `mixture: DPS on a small Gaussian mixture, 1000 samples, 100 steps; eager TensorFlow.js and, on request, PyTorch beside it.
overhead: a step of each guidance method, beside the passes of the U-Net that it makes.
queue: what a chunk that draws nothing costs through the queue that --queue names, and how that grows with their number; with --workers what so many workers that draw nothing cost its server.
start: how long the command takes to start.
train: a training step of the prior of photographs (loss, gradients of the weights, AdamW, averaged weights; no data) and, on request, the same in PyTorch.
unet: the ADM U-Net with random weights, forward and with its input gradient, beside convolutions and, on request, PyTorch.`;
  static override examples = [
    '<%= config.bin %> bench mixture',
    '<%= config.bin %> bench mixture --torch ~/venv/bin/python --json',
    '<%= config.bin %> bench overhead --size medium',
    '<%= config.bin %> bench queue --queue redis://127.0.0.1:6379 --chunks 1000,10000',
    '<%= config.bin %> bench queue --queue redis://127.0.0.1:6379 --workers 1000',
    '<%= config.bin %> bench start',
    '<%= config.bin %> bench train --torch ~/venv/bin/python',
    '<%= config.bin %> bench unet --size medium --batch 1 --torch ~/venv/bin/python',
  ];
  static override args = {
    subject: Args.string({
      required: true,
      options: ['mixture', 'overhead', 'queue', 'start', 'train', 'unet'],
      description: 'what to measure',
    }),
  };
  static override flags = {
    repeats: Flags.integer({
      min: 1,
      description:
        'Timed repetitions of each contender; default 7, train 5, unet and overhead 30 to 3 by size and batch.',
    }),
    torch: Flags.string({
      helpValue: 'PYTHON',
      description: 'A Python with torch: the same in PyTorch; mixture: eager and compiled, train and unet: eager.',
    }),
    size: Flags.option({
      options: Object.keys(unetSizes) as UnetSizeName[],
      default: 'small' as const,
      description: 'unet, overhead: which network; large is for FFHQ 256, imagenet (10 GB) for ImageNet 256.',
    })(),
    batch: Flags.integer({
      min: 1,
      multiple: true,
      delimiter: ',',
      helpValue: '1,4',
      description: 'unet, train: images at once; default 1 and 4, small also 16, imagenet 1; train 16, one number.',
    }),
    methods: Flags.string({
      multiple: true,
      delimiter: ',',
      helpValue: 'dps,dps-w',
      description: 'overhead: which guidance plugins; default all.',
    }),
    threads: Flags.integer({ min: 1, default: 2, description: 'unet, overhead, train: threads, of PyTorch too.' }),
    queue: Flags.string({ helpValue: 'URL', description: 'queue: Redis or PostgreSQL; default TWEEDIE_QUEUE.' }),
    chunks: Flags.integer({
      min: 1,
      multiple: true,
      delimiter: ',',
      helpValue: '1000,10000',
      default: [100, 1000],
      description: 'queue: how many chunks.',
    }),
    workers: Flags.integer({
      min: 1,
      max: 10_000,
      helpValue: '1000',
      description: 'queue: measure workers in place of chunks, 1, 10, 100, 300, 1000 up to so many.',
    }),
    ...registryFlag,
    json: Flags.boolean({ description: 'Print one JSON object.' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Bench);
    const [result, text] = await { mixture, overhead, queue, start, train, unet }[
      args.subject as 'mixture' | 'overhead' | 'queue' | 'start' | 'train' | 'unet'
    ](flags);
    this.log(flags.json ? JSON.stringify(result) : text);
  }
}

type Given = RegistryFlags & {
  readonly repeats?: number | undefined;
  readonly torch?: string | undefined;
  readonly size: UnetSizeName;
  readonly batch?: readonly number[] | undefined;
  readonly methods?: readonly string[] | undefined;
  readonly threads: number;
  readonly queue?: string | undefined;
  readonly chunks: readonly number[];
  readonly workers?: number | undefined;
};

/** Numbers of workers that are measured on the way. */
const WORKERS = [1, 10, 100, 300, 1000];
type Outcome = Promise<readonly [result: object, text: string]>;

async function mixture({ repeats, torch, ...flags }: Given): Outcome {
  const { benchMixture, showMixtureBench } = await import('../bench/mixture.ts');
  const result = await withPlugins(flags, (container) => benchMixture(container, { repeats, torch }));
  return [result, showMixtureBench(result)];
}

async function overhead({ methods, size, repeats, threads, ...flags }: Given): Outcome {
  const { benchOverhead, showOverheadBench } = await import('../bench/overhead.ts');
  const result = await withPlugins(flags, (container) =>
    benchOverhead(container, { methods, size, repeats, threads }, toStandardError),
  );
  return [result, showOverheadBench(result)];
}

async function withPlugins<T>(flags: RegistryFlags, measure: (container: Container) => Promise<T>): Promise<T> {
  const { createContainer, openRegistry } = await import('@tweedie/core');
  const { createFiles } = await import('@tweedie/files');
  const container = createContainer({ registry: openRegistry(registriesOf(flags)), files: createFiles('.') });
  try {
    return await measure(container);
  } finally {
    container.dispose();
  }
}

const toStandardError = (line: string): void => void process.stderr.write(`${line}\n`);

async function queue({ queue: given, chunks, workers }: Given): Outcome {
  const { benchQueue, benchWorkers } = await import('@tweedie/queue');
  const { queueOf } = await import('../queue-flags.ts');
  const { showQueueBench, showWorkersBench } = await import('../bench/show-queue.ts');
  if (workers !== undefined) {
    const numbers = [...WORKERS.filter((number) => number < workers), workers];
    const measured = await benchWorkers(queueOf(given), numbers, toStandardError);
    return [measured, showWorkersBench(measured)];
  }
  const result = await benchQueue(queueOf(given), chunks, toStandardError);
  return [result, showQueueBench(result)];
}

async function start({ repeats }: Given): Outcome {
  const { benchStart, showStartBench } = await import('../bench/start.ts');
  const result = benchStart({ repeats });
  return [result, showStartBench(result)];
}

async function train({ batch, repeats, threads, torch }: Given): Outcome {
  const { benchTrain, showTrainBench } = await import('../bench/train.ts');
  if (batch !== undefined && batch.length > 1)
    throw new ConfigError('bench --batch', `train takes one number, not ${batch.join(',')}.`, 'Run it once for each.');
  const result = await benchTrain({ batch: batch?.[0], repeats, threads, torch }, toStandardError);
  return [result, showTrainBench(result)];
}

async function unet({ size, batch = unetSizes[size].batches, ...options }: Given): Outcome {
  const { showUnetBench } = await import('../bench/show-unet.ts');
  const [only, ...others] = batch;
  const result =
    only !== undefined && others.length === 0
      ? await (await import('../bench/unet.ts')).benchUnet({ size, batch: only, ...options }, toStandardError)
      : (await import('../bench/unet-batches.ts')).benchUnetBatches({ size, ...options }, batch);
  return [result, showUnetBench(result)];
}

/**
 * Sessions of ONNX Runtime; no other file touches it. It is loaded at the first session, so that importing this package
 * costs nothing.
 */
import { ConfigError, messageOf } from '@tweedie/core';
import { availableParallelism } from 'node:os';
import type { Tensor as OrtTensor } from 'onnxruntime-node';
import type { Dtype, Shape } from '../graph/graph.ts';

export type Device = 'cpu' | 'cuda' | 'webgpu';
export interface SessionOptions {
  /** Threads of one operation at most; default: all cores available. */
  readonly threads?: number;
  /** Where to compute; default `cpu`. */
  readonly device?: Device;
  /**
   * What threads do within a call while they wait for the next operation: spin, the default, which is faster where they
   * have the machine to themselves, or sleep once a moment has passed, which leaves the cores to whoever shares them.
   * The numbers are the same.
   */
  readonly waiting?: 'spin' | 'sleep';
}

type Runtime = typeof import('onnxruntime-node');
let loading: Promise<Runtime> | undefined;
const runtime = (): Promise<Runtime> => (loading ??= load());

async function load(): Promise<Runtime> {
  // ONNX Runtime reports its use to its maker, and leaves files in the temporary folder for it, unless told not to
  // before it is loaded.
  process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
  const loaded = await import('onnxruntime-node');
  // Errors are thrown; the log on standard error would only say them twice.
  loaded.env.logLevel = 'fatal';
  return loaded;
}

/**
 * Microseconds that a thread spins before it sleeps. Most operations follow each other faster: a training step took
 * 280 ms, 310 to 340 with threads that sleep at once and 270 with threads that spin; beside ten other processes 1.7,
 * 1.9 and 2.9 s.
 */
const MOMENT = 50;

export interface OnnxRuntimeFacts {
  readonly version: string;
  /** Execution providers that this build knows, and whether their libraries come with the package. */
  readonly providers: readonly { readonly name: string; readonly bundled: boolean }[];
}

/** What ONNX Runtime this is and where it can compute, without making a session. */
export async function onnxRuntimeFacts(): Promise<OnnxRuntimeFacts> {
  const { env, listSupportedBackends } = await runtime();
  return { version: env.versions.node ?? env.versions.common, providers: listSupportedBackends() };
}

export const defaultThreads = (): number => availableParallelism();

const remedies: { readonly [D in Device]: string } = {
  cpu: 'Reinstall with `npm ci`.',
  cuda: "CUDA needs an NVIDIA driver, CUDA 12 and cuDNN 9; fetch ONNX Runtime's files for it with `ONNXRUNTIME_NODE_INSTALL=cuda12 npm explore onnxruntime-node -- node script/install.js`. Or use device: cpu.",
  webgpu: 'WebGPU needs a graphics driver (Vulkan, Metal or Direct3D 12). Or use device: cpu.',
};

/** A tensor outside of TensorFlow.js. */
export type PlainTensor = {
  readonly data: Float32Array | Int32Array | Uint8Array;
  readonly shape: Shape;
  readonly dtype: Exclude<Dtype, 'int64' | 'float64'>;
};
export type Feeds = { readonly [name: string]: PlainTensor };

export interface Session {
  /** The outputs, in the model's order. ONNX Runtime blocks the event loop until they are there. */
  run(feeds: Feeds): Promise<readonly PlainTensor[]>;
  /** Writes the profile to its file, where `profileTo` asks for one, and ends profiling. */
  endProfiling(): void;
  dispose(): void;
}

/** What a session is made with beside the user's options. */
export type SessionSettings = SessionOptions & {
  /**
   * Lays all intermediate results out in one block at the first call: saves a few per cent of time, but memory is then
   * held twice.
   */
  readonly planMemory?: boolean;
  /** The beginning of the path of a file that the profile is written to. */
  readonly profileTo?: string;
};

/** Makes a session from the bytes of a model or from the path of its file. */
export async function createSession(
  model: Uint8Array | string,
  { threads = defaultThreads(), device = 'cpu', waiting = 'spin', planMemory = false, profileTo }: SessionSettings,
): Promise<Session> {
  const { InferenceSession, Tensor } = await runtime();
  const session = await InferenceSession.create(model as string, {
    executionProviders: [device],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    logSeverityLevel: 4,
    ...(profileTo !== undefined && { enableProfiling: true, profileFilePrefix: profileTo }),
    enableMemPattern: planMemory,
    extra: {
      // Within a call threads wait busily for the next operation (10 to 15 % of a U-Net's time); after it they must
      // not, or they steal the cores from whatever comes next: beside other work a step took 15 times as long.
      session: {
        intra_op: { allow_spinning: '1', ...(waiting === 'sleep' && { spin_duration_us: String(MOMENT) }) },
        force_spinning_stop: '1',
      },
      // The optimiser would merge operations that are computed twice on purpose (recompute.ts); equal ones were merged
      // while tracing.
      optimization: { disable_specified_optimizers: 'CommonSubexpressionElimination' },
    },
  }).catch((cause: unknown) => {
    if (device === 'cpu') {
      throw new Error(
        `jit: ONNX Runtime refuses the compiled graph: ${lastLine(messageOf(cause))}. A lowering in packages/jit/src/lowering is at fault; --engine eager runs without it.`,
        { cause },
      );
    }
    throw new ConfigError(
      'engine/onnxruntime',
      `device ${device} cannot be used here: ${lastLine(messageOf(cause))}.`,
      remedies[device],
      { cause },
    );
  });
  return {
    async run(feeds) {
      const results = await session.run(
        Object.fromEntries(
          Object.entries(feeds).map(([name, { dtype, data, shape }]) => [name, new Tensor(dtype, data, shape)]),
        ),
      );
      return session.outputNames.map((name) => plain(results[name]));
    },
    endProfiling: () => session.endProfiling(),
    dispose: () => void session.release(),
  };
}

const lastLine = (text: string): string => (text.trim().split('\n').at(-1) ?? '').replace(/\.$/, '');

function plain(value: OrtTensor | undefined): PlainTensor {
  const { type, data, dims: shape } = value ?? {};
  if (shape !== undefined) {
    if (type === 'float32' && data instanceof Float32Array) return { data, shape, dtype: type };
    if (type === 'int32' && data instanceof Int32Array) return { data, shape, dtype: type };
    if (type === 'bool' && data instanceof Uint8Array) return { data, shape, dtype: type };
  }
  throw new Error(`jit: ONNX Runtime gave an output of type ${type}.`);
}

/** The only file that touches ONNX Runtime. It is loaded at the first session, so that importing this package costs nothing. */
import { ConfigError, messageOf } from '@tweedie/core';
import { availableParallelism } from 'node:os';
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import type { Data, Dtype, Shape } from './graph.ts';

export type Device = 'cpu' | 'cuda' | 'webgpu';
export interface SessionOptions {
  /** Threads of one operation; default: all cores available. */
  readonly threads?: number;
  /** Where to compute; default `cpu`. */
  readonly device?: Device;
}

type Runtime = typeof import('onnxruntime-node');
let loading: Promise<Runtime> | undefined;
const runtime = (): Promise<Runtime> => (loading ??= import('onnxruntime-node'));

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
  cuda:
    'CUDA needs an NVIDIA driver, CUDA 12 and cuDNN 9; fetch ONNX Runtime\'s files for it with `ONNXRUNTIME_NODE_INSTALL=cuda12 npm explore onnxruntime-node -- node script/install.js`. Or use device: cpu.',
  webgpu: 'WebGPU needs a graphics driver (Vulkan, Metal or Direct3D 12). Or use device: cpu.',
};

export type NamedArray = { readonly data: Exclude<Data, BigInt64Array>; readonly shape: Shape; readonly dtype: Exclude<Dtype, 'int64'> };
export interface Session {
  run(feeds: { readonly [name: string]: NamedArray }): Promise<readonly NamedArray['data'][]>;
  dispose(): void;
}

export async function createSession(model: Uint8Array, outputs: readonly { shape: Shape; dtype: Dtype }[], { threads = defaultThreads(), device = 'cpu' }: SessionOptions): Promise<Session> {
  const { InferenceSession, Tensor } = await runtime();
  const options: InferenceSession.SessionOptions = {
    executionProviders: [device],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
  };
  const session = await InferenceSession.create(model, options).catch((cause: unknown) => {
    if (device === 'cpu') throw cause;
    throw new ConfigError('engine/onnxruntime', `device ${device} cannot be used here: ${messageOf(cause)}.`, remedies[device], { cause });
  });
  const tensorOf = ({ data, shape, dtype }: NamedArray): OrtTensor => new Tensor(dtype, data, shape);
  return {
    async run(feeds) {
      const results = await session.run(Object.fromEntries(Object.entries(feeds).map(([name, array]) => [name, tensorOf(array)])));
      return outputs.map((_, i) => results[`out${i}`]?.data as NamedArray['data']);
    },
    dispose: () => void session.release(),
  };
}

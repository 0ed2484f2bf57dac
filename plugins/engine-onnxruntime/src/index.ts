import { type Compiled, type EngineFactory, tf, type TensorTree } from '@tweedie/core';
import { defaultThreads, type Device, jit, onnxRuntimeFacts, sessionPool } from '@tweedie/jit';

export interface OnnxRuntimeOptions {
  /** Threads of one operation, a whole number from 1. Default: the cores available. */
  readonly threads?: number;
  /** Where to compute. */
  readonly device: Device;
}

/**
 * The default engine: functions are traced to ONNX graphs and run by ONNX Runtime. What is compiled again with other
 * numeric options takes over the session of the function before it, if that was disposed of; until something else is
 * compiled its memory stays in use.
 *
 * @throws ConfigError when the device cannot be used on this machine, with what to do about it.
 */
export const onnxruntime: EngineFactory<OnnxRuntimeOptions> = async ({ threads = defaultThreads(), device }) => {
  const { version } = await onnxRuntimeFacts();
  if (device !== 'cpu') await probe(device);
  const pool = sessionPool();
  return {
    id: 'onnxruntime',
    facts: { onnxruntime: version, device, threads },
    compile: <A extends readonly TensorTree[], R extends TensorTree>(fn: (...args: A) => R): Compiled<A, R> =>
      jit(fn, { threads, device, pool }),
    dispose: pool.dispose,
  };
};

/** Runs one operation on a device, so that one that cannot be used says so before a run starts. */
async function probe(device: Device): Promise<void> {
  const compiled = jit(() => tf.scalar(1).exp(), { device, threads: 1 });
  const result = await compiled();
  result.dispose();
  compiled.dispose();
}

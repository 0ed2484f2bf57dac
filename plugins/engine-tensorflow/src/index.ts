import { eagerEngine, type EngineFactory } from '@tweedie/core';
import { BACKEND } from './kernels.ts';
import { loadTensorFlow } from './load.ts';

/**
 * Eager TensorFlow.js on TensorFlow's native library: nothing is traced or compiled, each operation runs as it is
 * called, on a GPU where TensorFlow finds one. The second opinion on what the default engine compiles.
 *
 * @throws NotInstalledError where neither package is installed, ConfigError where it does not work, each with what to
 * do about it.
 */
export const tensorflow: EngineFactory<Record<never, never>> = async () =>
  eagerEngine({ id: 'tensorflow', facts: await loadTensorFlow(), backend: BACKEND });

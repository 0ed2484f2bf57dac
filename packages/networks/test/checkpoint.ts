import type { SafetensorsEntry } from '@tweedie/core';
import type { Checkpoint } from '../src/index.ts';

/** Tensors in memory as a checkpoint. */
export const checkpointOf = (
  tensors: ReadonlyMap<string, Pick<SafetensorsEntry, 'shape' | 'data'>>,
  source = 'memory',
): Checkpoint => ({
  source,
  shapes: new Map([...tensors].map(([name, { shape }]) => [name, shape])),
  metadata: {},
  notes: [],
  read: async (name) => Float32Array.from(tensors.get(name)!.data, Number),
});

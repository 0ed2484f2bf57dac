/** Threads of a cell: what the recipe says or, where it says nothing, what follows from the size of its images. */
import { availableParallelism } from 'node:os';
import type { ImageShape, Manifest, PluginReference } from '@tweedie/core';
import type { Reference } from '../recipe/experiment.ts';

/** Entries of an image from which on it is large: 128x128x3. */
const LARGE = 49_152;
/**
 * Threads where images are large. Small ones have one, for cells run beside each other: four images of the quickstart
 * take 15.7 s of processor time on one thread and 20.5 s on two, and one thread waits for no other on a busy machine.
 */
const THREADS_OF_LARGE = 8;

type Options = { readonly properties?: Readonly<Record<string, object>> };

/**
 * Threads of one operation at most for the images of one shape. The same on every machine, so that cells have the same
 * keys. Undefined where the engine has no option `threads`, or computes elsewhere than on the CPU.
 */
export const threadsFor = (
  manifest: Pick<Manifest, 'options'>,
  { options }: Reference,
  [height, width, channels]: ImageShape,
): number | undefined => {
  const { properties = {} } = manifest.options as Options;
  if (!('threads' in properties) || (options['device'] ?? 'cpu') !== 'cpu') return undefined;
  if (typeof options['threads'] === 'number') return options['threads'];
  return height * width * channels >= LARGE ? THREADS_OF_LARGE : 1;
};

/**
 * The engine for the images of one shape, with no more threads than this machine has cores unless the recipe says so.
 */
export const engineOn = ({
  experiment: { engine },
  threads,
}: {
  readonly experiment: { readonly engine: Reference };
  readonly threads?: number;
}): PluginReference =>
  threads === undefined || engine.options['threads'] !== undefined
    ? engine
    : { id: engine.id, options: { ...engine.options, threads: Math.min(threads, availableParallelism()) } };

/** Files of EDM networks: pickles of NVlabs/edm, and state dicts of their networks in any format. */
import { ConfigError, type Files } from '@tweedie/core';
import { type Checkpoint, checkpointOf, networkIn, openTensors } from '../checkpoint.ts';
import { isTorchFile, openTorchFile } from '../checkpoints/torch-file.ts';
import { readTorchTensor } from '../checkpoints/torch-tensor.ts';
import { inferredConfig } from './infer.ts';
import { pickledNetwork } from './pickled.ts';
import type { EdmConfig } from './plan.ts';
import type { Preconditioning, PreconditioningKind } from './preconditioning.ts';

export type EdmFile = {
  readonly config: EdmConfig;
  /** As the file says it; a state dict says at most its kind. */
  readonly preconditioning?: Preconditioning;
  readonly kind?: PreconditioningKind;
  /** The tensors that the network computes with. */
  readonly checkpoint: Checkpoint;
  /** These and the others of the network: filters, weights of the augmentation. */
  readonly whole: Checkpoint;
};

/** Tensors that sampling has no use for: filters are known, augmentation is of training. */
const isUnused = (name: string): boolean => name.endsWith('.resample_filter') || name === 'map_augment.weight';

function withoutUnused(checkpoint: Checkpoint): Checkpoint {
  return { ...checkpoint, shapes: new Map([...checkpoint.shapes].filter(([name]) => !isUnused(name))) };
}

/** The taps of a filter from f f^T: its row sums, in whole numbers where they are. */
async function filterOf({ shapes, read }: Checkpoint): Promise<readonly number[] | undefined> {
  const name = [...shapes.keys()].find((each) => each.endsWith('.resample_filter'));
  const length = name === undefined ? undefined : shapes.get(name)?.[3];
  if (name === undefined || length === undefined) return undefined;
  const values = await read(name);
  const sums = Array.from({ length }, (_, row) =>
    values.subarray(row * length, (row + 1) * length).reduce((sum, value) => sum + value, 0),
  );
  const least = Math.min(...sums.map(Math.abs).filter((sum) => sum > 0));
  return sums.map((sum) => Math.round((sum / least) * 1e4) / 1e4);
}

const proportional = (a: readonly number[], b: readonly number[]): boolean => {
  const total = (filter: readonly number[]): number => filter.reduce((sum, tap) => sum + tap, 0);
  return a.length === b.length && a.every((tap, k) => Math.abs(tap / total(a) - (b[k] ?? 0) / total(b)) < 1e-3);
};

/**
 * The network of a file and what the file says of it. A pickle says everything; of a state dict the configuration is
 * inferred from the tensors. Throws ConfigError where it is no such file. No code in it is run.
 */
export async function openEdm(path: string, files: Files): Promise<EdmFile> {
  const head = await files.readRange(path, 0, Math.min(16, await files.size(path)));
  const opened = isTorchFile(head) ? await openTorchFile(path, files) : undefined;
  if (opened?.layout === 'pickle') {
    const { config, preconditioning, tensors } = pickledNetwork(opened.value, path);
    const shapes = new Map([...tensors].map(([name, { shape }]) => [name, shape]));
    const read = async (name: string) => {
      const tensor = tensors.get(name);
      if (tensor === undefined) throw new ConfigError(path, `has no tensor "${name}".`, 'Give another file.');
      return readTorchTensor(tensor);
    };
    // NVlabs/edm writes averaged weights alone, under this name.
    const checkpoint = { ...checkpointOf(path, shapes, read), notes: ['averaged weights taken, "ema"'] };
    const filter = await filterOf(checkpoint);
    if (filter && !proportional(filter, config.filter))
      throw new ConfigError(
        path,
        `its resampling filter is ${filter.join(', ')}, its configuration says ${config.filter.join(', ')}.`,
        'Fetch the file again.',
      );
    return { config, preconditioning, checkpoint: withoutUnused(checkpoint), whole: checkpoint };
  }
  const stored = await openTensors(path, files);
  const checkpoint = networkIn(stored, path);
  if (!checkpoint.shapes.has('map_layer0.weight'))
    throw new ConfigError(
      path,
      `holds no network of NVlabs/edm: it has no tensor "map_layer0.weight", its first are ${[...checkpoint.shapes.keys()].slice(0, 3).join(', ')}.`,
      'Networks of guided diffusion: model/ddpm-vp or model/ddpm-ve. Folders of diffusers: model/diffusers.',
    );
  return {
    config: inferredConfig(checkpoint.shapes, await filterOf(checkpoint), path),
    ...(stored.shapes.has('u') ? { kind: 'iddpm' } : {}),
    checkpoint: withoutUnused(checkpoint),
    whole: checkpoint,
  };
}

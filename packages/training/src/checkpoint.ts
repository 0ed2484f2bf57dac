import { readFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  canonicalJson,
  ConfigError,
  decodeSafetensors,
  encodeSafetensors,
  safetensorsMetadata,
  sha256,
  type SafetensorsInput,
} from '@tweedie/core';
import { writeWhole } from '@tweedie/files';
import { admStateDict, cardMetadata, type NetworkCard } from '@tweedie/networks';
import type { State } from './adamw.ts';
import type { Layout } from './parameters.ts';
import type { TrainingRecipe } from './recipe.ts';

/** A line of the log: how it stood when so many images were seen. */
export type LogRow = {
  readonly images: number;
  /** Computing time so far. */
  readonly seconds: number;
  /** Mean loss of the images since the line before, learning rate, largest gradient norm before clipping. */
  readonly loss: number;
  readonly rate: number;
  readonly gradient: number;
  /** Of the averaged weights on held-out images: the loss, and PSNR in dB of one denoising step by noise level. */
  readonly validation?: number;
  readonly denoised?: { readonly [sigma: string]: number };
};

export type Progressed = { readonly state: State; readonly steps: number; readonly log: readonly LogRow[] };

const STATE = 'state.safetensors';
export const WEIGHTS = 'weights.safetensors';

/**
 * A text for what decides the numbers of a training, its end apart: length and cool-down may be chosen on the way, as
 * long as the rate has not begun to fall.
 */
export const trainingHash = (
  { images: _, checkpoint: __, title: ___, optimizer: { cooldown: ____, ...optimizer }, ...rest }: TrainingRecipe,
  from: string,
): string => sha256(canonicalJson({ ...rest, optimizer, from }));

/** How a training ends, in images. */
export type Ending = { readonly images: number; readonly cooldown: number };
const falls = ({ images, cooldown }: Ending, seen: number): boolean => cooldown > 0 && seen > images - cooldown;

/**
 * Writes state and averaged weights, each whole or not at all: a process that dies while it writes leaves those of the
 * time before.
 */
export function writeCheckpoint(
  folder: string,
  { state, steps, log }: Progressed,
  {
    card,
    layout,
    hash,
    ending,
    dtype,
  }: {
    readonly card: NetworkCard;
    readonly layout: Layout;
    readonly hash: string;
    readonly ending: Ending;
    readonly dtype: 'F32' | 'F16';
  },
): void {
  const tensors = new Map(
    Object.entries(state).map(([name, data]): [string, SafetensorsInput] => [
      name,
      { dtype: 'F32', shape: [data.length], data },
    ]),
  );
  writeWhole(
    join(folder, STATE),
    encodeSafetensors(tensors, {
      training: hash,
      ending: JSON.stringify(ending),
      steps: String(steps),
      log: JSON.stringify(log),
    }),
  );
  writeWhole(join(folder, WEIGHTS), encodeSafetensors(stateDict(state.ema, card, layout, dtype), cardMetadata(card)));
}

/** The state dict of an array of weights. */
function stateDict(
  values: Float32Array,
  { network }: NetworkCard,
  { tensors }: Layout,
  dtype: 'F32' | 'F16',
): ReadonlyMap<string, SafetensorsInput> {
  const places = new Map(tensors.map(({ name, begin, end }) => [name, values.subarray(begin, end)]));
  return admStateDict(network, (name) => places.get(name) ?? new Float32Array(0), dtype);
}

/** Where a training stopped, or undefined where the folder has none. Throws ConfigError where it was another one. */
export function readCheckpoint(
  folder: string,
  layout: Layout,
  { hash, ending, batch }: { readonly hash: string; readonly ending: Ending; readonly batch: number },
): Progressed | undefined {
  const path = join(folder, STATE);
  if (!existsSync(path)) return undefined;
  const bytes = readFileSync(path);
  const { training, steps, ending: known = '{}', log = '[]' } = safetensorsMetadata(bytes, path);
  if (training !== hash)
    throw new ConfigError(
      path,
      'belongs to another training: data, network, loss, seed or options have changed since.',
      'Choose another folder with --out, or begin there from its weights with --from.',
    );
  const was = JSON.parse(known) as Ending;
  const seen = Number(steps) * batch;
  const begun = [was, ending].find((each) => falls(each, seen));
  if (begun !== undefined && known !== JSON.stringify(ending))
    throw new ConfigError(
      path,
      `has seen ${seen} images, and the rate falls before: it ${begun === was ? 'was to' : 'would'} end at ${begun.images}, the last ${begun.cooldown} of them the cool-down.`,
      'Give images and cooldown as they were, or so that the rate falls later; or begin in another --out from its weights, with --from.',
    );
  const tensors = decodeSafetensors(bytes, path);
  const numbers = (name: keyof State): Float32Array => {
    const data = tensors.get(name)?.data;
    if (data instanceof Float32Array && data.length === layout.size) return data;
    throw new ConfigError(
      path,
      `has no ${layout.size} numbers "${name}".`,
      'Remove the file, or choose another --out.',
    );
  };
  return {
    state: {
      weights: numbers('weights'),
      ema: numbers('ema'),
      first: numbers('first'),
      second: numbers('second'),
    },
    steps: Number(steps),
    log: JSON.parse(log) as LogRow[],
  };
}

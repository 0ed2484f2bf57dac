import { Flags } from '@oclif/core';
import { parseReference } from './reference.ts';

/** The flags that change what a recipe says. */
export const overrideFlags = {
  steps: Flags.integer({ min: 1, helpValue: 'N', description: 'Steps of every method.' }),
  samples: Flags.integer({ min: 1, helpValue: 'N', description: 'Samples per image.' }),
  limit: Flags.integer({ min: 1, helpValue: 'N', description: 'Only the first N images.' }),
  seed: Flags.integer({ min: 0, helpValue: 'N', description: 'Seed of every random number.' }),
  engine: Flags.string({
    helpValue: 'ID',
    description:
      'What computes: onnxruntime, also on a GPU (onnxruntime:device=cuda), tensorflow, or eager for debugging.',
  }),
};

type Given = {
  readonly steps?: number | undefined;
  readonly samples?: number | undefined;
  readonly limit?: number | undefined;
  readonly seed?: number | undefined;
  readonly engine?: string | undefined;
};

/** The overrides that a command line gives; a flag that was left out is no key of the result. */
export const overridesOf = ({ steps, samples, limit, seed, engine }: Given) => ({
  ...(steps !== undefined && { steps }),
  ...(samples !== undefined && { samples }),
  ...(limit !== undefined && { limit }),
  ...(seed !== undefined && { seed }),
  ...(engine !== undefined && { engine: parseReference(engine) }),
});

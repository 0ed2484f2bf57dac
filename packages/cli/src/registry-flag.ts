import { Flags } from '@oclif/core';

/** The flag `--registry`, the same for every command that names plugins. */
export const registryFlag = {
  registry: Flags.string({
    helpValue: 'FILE',
    description: 'Registry of your own plugins; a registry.json in the working folder is read unasked.',
  }),
};

/** The registry files that `--registry` adds: one or none. */
export const registriesOf = ({ registry }: { readonly registry?: string | undefined }): readonly string[] =>
  registry === undefined ? [] : [registry];

import { Flags } from '@oclif/core';
import type { RegistryOptions } from '@tweedie/core/registry';

/** The flags that say where plugins may come from, the same for every command that names plugins. */
export const registryFlag = {
  registry: Flags.string({
    helpValue: 'FILE',
    description: 'Registry of your own plugins.',
  }),
  'local-registry': Flags.boolean({
    allowNo: true,
    description:
      'Read a registry.json in the working folder, or beside the recipe, unasked: plugins that it names may run. Default yes.',
  }),
};

/** The flags of `registryFlag`, as they were given. */
export type RegistryFlags = { readonly registry?: string | undefined; readonly 'local-registry'?: boolean | undefined };

/** What the flags say of registries. */
export const registriesOf = ({ registry, 'local-registry': localRegistries }: RegistryFlags): RegistryOptions => ({
  ...(registry !== undefined && { registries: [registry] }),
  ...(localRegistries !== undefined && { localRegistries }),
});

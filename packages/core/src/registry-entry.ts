/**
 * The part of core that needs neither TensorFlow.js nor plugin code: errors, registry, manifests, validation. Import
 * it as `@tweedie/core/registry`.
 */
export type { Card, CardFile } from './card.ts';
export { cardFolder, howToGet } from './cards.ts';
export { devicesOf } from './devices.ts';
export { CancelledError, ConfigError, messageOf, NotInstalledError, showShape } from './errors.ts';
export type { Capability } from './capabilities.ts';
export { manifestOfPlace, resolveOptions, type Manifest } from './manifest.ts';
export { nearest, suggest } from './nearest.ts';
export { PluginError, pluginPlace, type PluginPlace } from './plugin-fault.ts';
export { readJson } from './read-json.ts';
export {
  kinds,
  loadRegistries,
  mayHave,
  openRegistry,
  refuseLocalRegistries,
  tellRegistries,
  type Registry,
  type RegistryOptions,
} from './registry.ts';
export { validate, type JsonSchema } from './schema.ts';

/**
 * Makes plugins from the registry: code is imported when the first of its kind/id is asked for. The only file that
 * knows inversify.
 */
import { Container as Bindings, type ServiceIdentifier } from 'inversify';
import { canonicalJson } from './canonical-json.ts';
import { refuseMissing } from './cards.ts';
import { CancelledError, ConfigError } from './errors.ts';
import { importFactory, type AnyFactory } from './import-plugin.ts';
import { resolveOptions } from './manifest.ts';
import { factoryFault, PluginError } from './plugin-fault.ts';
import type { Registry } from './registry.ts';
import type { Context, Extra, Kind, PluginKinds, PluginReference } from './plugin.ts';
import type { Files } from './files.ts';

export interface Container extends Context {
  readonly registry: Registry;
  /**
   * A plugin with checked options. Operators are made for one image shape and metrics for the images of a run, given in
   * `extra`. Engines and data sets are shared: same options, same object.
   */
  plugin<K extends Kind>(kind: K, reference: PluginReference, extra?: Extra): Promise<PluginKinds[K]>;
  /** Its options, checked and with defaults; imports nothing. */
  resolved(kind: Kind, reference: PluginReference): Readonly<Record<string, unknown>>;
  /** Disposes every plugin made, last one first. */
  dispose(): void;
}

/** Tells the user something that does not stop the work. */
export const toStandardError = (message: string): void => void process.stderr.write(`Warning: ${message}\n`);

/** Tells the user something that is good to know. */
export const noteToStandardError = (message: string): void => void process.stderr.write(`Note: ${message}\n`);

/** Calls a factory. What a user can mend (a ConfigError) goes through; anything else becomes a fault of the plugin. */
const call = async (factory: AnyFactory, name: string, ...given: Parameters<AnyFactory>): Promise<unknown> => {
  try {
    return await factory(...given);
  } catch (error) {
    throw error instanceof ConfigError || error instanceof CancelledError || error instanceof PluginError
      ? error
      : factoryFault(name, error);
  }
};

/** The functions that every plugin of a kind has. */
const members: { readonly [K in Kind]: readonly (keyof PluginKinds[K] & string)[] } = {
  engine: ['compile'],
  model: ['predict', 'weightsHash'],
  operator: ['draw', 'forward'],
  scheduler: ['levels', 'transition'],
  guidance: ['bind'],
  metric: ['compare'],
  dataset: ['item'],
};

/** Refuses what a factory gave where it cannot be a plugin of its kind. */
function checkMade(name: string, made: unknown): asserts made is object {
  const needed = members[name.split('/')[0] as Kind];
  if (typeof made !== 'object' || made === null)
    throw new PluginError(`[${name}] its factory gave ${String(made)}. Return an object with ${needed.join(', ')}.`);
  const absent = needed.filter((member) => typeof (made as Record<string, unknown>)[member] !== 'function');
  if (absent.length > 0)
    throw new PluginError(`[${name}] its factory gave an object without ${absent.join(', ')}. Add what is missing.`);
}

const tokens = {
  factory: Symbol.for('tweedie.factory') as ServiceIdentifier<AnyFactory>,
};

/** `warn` and `note` get what plugins tell the user; by default it is written to standard error, a note once. */
export const createContainer = ({
  registry,
  files,
  warn = toStandardError,
  note = noteToStandardError,
}: {
  registry: Registry;
  files: Files;
  warn?: (message: string) => void;
  note?: (message: string) => void;
}): Container => {
  const noted = new Set<string>();
  const noteOnce = (message: string): void => {
    if (noted.has(message)) return;
    noted.add(message);
    note(message);
  };
  const bindings = new Bindings({ defaultScope: 'Singleton' });
  for (const manifest of [...registry.manifests, ...registry.cards]) {
    bindings
      .bind(tokens.factory)
      .toDynamicValue(() => importFactory(manifest))
      .whenNamed(`${manifest.kind}/${manifest.id}`);
  }
  const shared = new Map<string, Promise<object>>();
  const made: { dispose?(): void }[] = [];

  /** `asker` is the plugin that names another one among its options. */
  const optionsOf = (kind: Kind, { id, options }: PluginReference, asker?: string) =>
    resolveOptions(registry.find(kind, id, asker), options);

  const make = async (name: string, options: Readonly<Record<string, unknown>>, extra: object): Promise<object> => {
    const factory = await bindings.getAsync(tokens.factory, { name });
    const part: unknown = await call(factory, name, options, {
      files,
      warn,
      note: noteOnce,
      plugin: (kind, reference) => plugin(kind, reference, {}, name),
      ...extra,
    });
    checkMade(name, part);
    made.push(part);
    return part;
  };

  const plugin = async <K extends Kind>(
    kind: K,
    reference: PluginReference,
    extra: object = {},
    asker?: string,
  ): Promise<PluginKinds[K]> => {
    const options = optionsOf(kind, reference, asker);
    const name = `${kind}/${reference.id}`;
    await refuseMissing(registry.find(kind, reference.id, asker), options, files);
    if (kind !== 'engine' && kind !== 'dataset') return (await make(name, options, extra)) as PluginKinds[K];
    const key = `${name} ${canonicalJson([options, extra])}`;
    const part = shared.get(key) ?? make(name, options, extra);
    shared.set(key, part);
    return (await part) as PluginKinds[K];
  };

  const container: Container = {
    registry,
    files,
    warn,
    note: noteOnce,
    resolved: (kind, reference) => optionsOf(kind, reference),
    plugin: (kind, reference, extra) => plugin(kind, reference, extra),
    dispose() {
      for (const part of made.splice(0).reverse()) part.dispose?.();
      shared.clear();
    },
  };
  return container;
};

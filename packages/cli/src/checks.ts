import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, freemem, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { messageOf, openRegistry, type JsonSchema, type Manifest, type RegistryOptions } from '@tweedie/core/registry';

/**
 * A check tries one thing on this machine: `attempt` says what was found, or throws. What is optional may be absent.
 */
export type Check = {
  readonly name: string;
  readonly attempt: () => string | Promise<string>;
  readonly remedy: string;
  readonly optional?: boolean;
};

const reinstall = 'Run npm ci in the repository.';
const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GB`;

/** Gives all checks; those of engines come from the registry. */
export function* checkMachine(registries: RegistryOptions): Iterable<Check> {
  yield { name: 'Node.js', attempt: nodeVersion, remedy: 'Install Node.js 20.19 or newer.' };
  yield {
    name: 'machine',
    attempt: () =>
      `${process.platform} ${process.arch}, ${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${availableParallelism()} threads, ${gigabytes(freemem())} of ${gigabytes(totalmem())} free`,
    remedy: '',
  };
  yield { name: 'plugins', attempt: () => plugins(registries), remedy: '' };
  yield { name: 'ONNX Runtime', attempt: onnxRuntime, remedy: reinstall };
  for (const { id, options } of engines(registries)) {
    yield {
      name: `engine ${id}`,
      attempt: () => tryEngine(id, {}, registries),
      remedy: 'Until it works choose another with --engine.',
    };
    for (const device of otherDevices(options)) {
      yield {
        name: `engine ${id} on ${device}`,
        attempt: () => tryDevice(id, device, registries),
        remedy: '',
        optional: true,
      };
    }
  }
  yield {
    name: 'pictures (sharp)',
    attempt: pictures,
    remedy: `${reinstall} sharp ships a binary for each platform as an optional dependency.`,
  };
  yield {
    name: 'results (DuckDB)',
    attempt: results,
    remedy: `${reinstall} DuckDB ships a binary for each platform as an optional dependency.`,
  };
}

const nodeVersion = (): string => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) throw new Error(`${process.version} is too old.`);
  return process.version;
};

const plugins = (registries: RegistryOptions): string => {
  const { manifests, files, broken } = openRegistry(registries);
  if (broken.size > 0) throw new Error([...broken.values()].map(messageOf).join(' '));
  return `${manifests.length} in ${files.join(', ')}`;
};

const onnxRuntime = async (): Promise<string> => {
  const { onnxRuntimeFacts } = await import('@tweedie/jit');
  const { version, providers } = await onnxRuntimeFacts();
  return `${version}, with ${providers.map(({ name, bundled }) => (bundled ? name : `${name} (its files must be fetched)`)).join(', ')}`;
};

/** The engines of the registry; none where it cannot be read, and then the check `plugins` says why. */
const engines = (registries: RegistryOptions): readonly Manifest[] => {
  try {
    return openRegistry(registries).manifests.filter(({ kind }) => kind === 'engine');
  } catch {
    return [];
  }
};

/** The devices that an engine's option `device` offers beside its default. */
const otherDevices = ({ properties }: JsonSchema): readonly string[] => {
  const { device } = (properties ?? {}) as {
    readonly device?: { readonly enum?: readonly string[]; readonly default?: string };
  };
  return (device?.enum ?? []).filter((name) => name !== device?.default);
};

/** Compiles the gradient of x^2 on an engine, runs it at x = 3, and gives the engine's facts in a line. */
const tryEngine = async (
  id: string,
  options: Readonly<Record<string, unknown>>,
  registries: RegistryOptions,
): Promise<string> => {
  const [{ createContainer, tf }, { createFiles }] = await Promise.all([
    import('@tweedie/core'),
    import('@tweedie/files'),
  ]);
  const container = createContainer({
    registry: openRegistry(registries),
    files: createFiles(process.cwd()),
  });
  try {
    const made = await container.plugin('engine', { id, options });
    const slope = made.compile((x: ReturnType<typeof tf.scalar>) => tf.grad((inner) => tf.square(inner))(x));
    const result = await slope(3);
    const [value = NaN] = result.dataSync();
    if (value !== 6) throw new Error(`the gradient of x^2 at 3 came out as ${value}.`);
    return Object.entries(made.facts)
      .map(([name, fact]) => `${name} ${fact}`)
      .join(', ');
  } finally {
    container.dispose();
  }
};

/**
 * Tries an engine on one of its devices. A device that does not start here was not tested here: the error says so
 * first, then why, without the source lines of the library.
 */
const tryDevice = (id: string, device: string, registries: RegistryOptions): Promise<string> =>
  tryEngine(id, { device }, registries).catch((error: unknown) => {
    const why = messageOf(error)
      .replace(/^\[\S+\] device \w+ cannot be used here: /, '')
      .replace(/\S+\.cc:\d+ .* was false\. /, '');
    throw new Error(`untested here: ${why}`, { cause: error });
  });

const pictures = async (): Promise<string> => {
  const { encodePng } = await import('@tweedie/files');
  return `writes PNG, ${(await encodePng(new Float32Array(3), [1, 1, 3])).length} bytes for one pixel`;
};

const results = async (): Promise<string> => {
  const { openStore } = await import('@tweedie/experiments');
  const folder = await mkdtemp(join(tmpdir(), 'tweedie-doctor-'));
  try {
    (await openStore(folder)).close();
    return 'opens a results file';
  } finally {
    await rm(folder, { recursive: true });
  }
};

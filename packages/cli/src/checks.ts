import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, freemem, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { devicesOf, messageOf, openRegistry, type Manifest, type RegistryOptions } from '@tweedie/core/registry';
import { tryDevice } from './check-machine/devices.ts';
import { tryEngine } from './check-machine/engines.ts';

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
  for (const engine of engines(registries)) {
    const { id } = engine;
    yield {
      name: `engine ${id}`,
      attempt: () => tryEngine(id, {}, registries),
      remedy: 'Until it works choose another with --engine.',
    };
    for (const device of devicesOf(engine).slice(1)) {
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

/** Gives the checks of what several machines share, where it is named. */
export function* checkNetwork(queue: string | undefined, store: string | undefined): Iterable<Check> {
  // The error says what to do.
  const remedy = '';
  if (queue !== undefined && queue !== '')
    yield { name: 'queue', attempt: async () => (await import('@tweedie/queue')).checkQueue(queue), remedy };
  if (store !== undefined)
    yield { name: 'store', attempt: async () => (await import('@tweedie/queue')).checkStore(store), remedy };
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

/** Finds the TensorFlow that the user has installed and teaches it what core's own backend knows. */
import { ConfigError, type Engine, messageOf, NotInstalledError, tf } from '@tweedie/core';
import { createRequire } from 'node:module';
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BACKEND, repairBackend } from './kernels.ts';

/** The packages that bring TensorFlow to Node.js; the first one that is installed is used. */
const packages = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'];

const require = createRequire(import.meta.url);
const refusal = (what: string, remedy: string, cause?: unknown): ConfigError =>
  new ConfigError('engine/tensorflow', what, remedy, { cause });

/** The backend of tfjs-node, with what it has beside the members that TensorFlow.js declares. */
type NativeBackend = tf.KernelBackend & {
  readonly binding: { readonly TF_Version: string };
  readonly isUsingGpuDevice: boolean;
};

let loading: Promise<Engine['facts']> | undefined;
/** The facts of the engine. The native library is loaded at the first call, once for the process. */
export const loadTensorFlow = (): Promise<Engine['facts']> => (loading ??= load());

async function load(): Promise<Engine['facts']> {
  const { name, manifest } = installed();
  const { version } = require(manifest) as { readonly version: string };
  refuseAnotherCore(name, version, manifest);
  refuseNewerNode(name);
  // The library reads these variables once. Its information is hidden (all but a note on oneDNN), its warnings are not;
  // a GPU multiplies in float32,
  // not in TensorFloat-32, whose ten bits are too few for steps that agree with other engines.
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '1';
  process.env['NVIDIA_TF32_OVERRIDE'] ??= '0';
  const active = tf.getBackend();
  const gradients = tf.getKernelsForBackend('cpu').flatMap(({ kernelName }) => tf.getGradient(kernelName) ?? []);
  try {
    require(name);
  } catch (cause) {
    throw refusal(
      `${name} ${version} is installed, but its native library does not load: ${firstLine(messageOf(cause))}.`,
      `Install it again. ${howToInstall()}`,
      cause,
    );
  } finally {
    // The library makes itself the active backend, which only compiled functions shall use, and registers the gradients
    // that core has corrected anew.
    void tf.setBackend(active);
    gradients.forEach(tf.registerGradient);
  }
  repairBackend();
  const backend = tf.findBackend(BACKEND) as NativeBackend;
  return {
    [name.slice('@tensorflow/'.length)]: version,
    tensorflow: backend.binding.TF_Version,
    device: backend.isUsingGpuDevice ? 'gpu' : 'cpu',
  };
}

function installed(): { readonly name: string; readonly manifest: string } {
  for (const name of packages) {
    const manifest = find(`${name}/package.json`);
    if (manifest !== undefined) return { name, manifest };
  }
  throw new NotInstalledError('engine/tensorflow', `neither ${packages.join(' nor ')} is installed.`, howToInstall());
}

const find = (path: string, from = require): string | undefined => {
  try {
    return from.resolve(path);
  } catch {
    return undefined;
  }
};

function howToInstall(): string {
  const script = relative(process.cwd(), fileURLToPath(new URL('../link-tensorflow.sh', import.meta.url)));
  return [
    `CPU: npm install --no-save @tensorflow/tfjs-node@${tf.version_core}.`,
    `NVIDIA GPU: npm install --no-save @tensorflow/tfjs-node-gpu@${tf.version_core}.`,
    `Both bring TensorFlow 2.9; for the newer one of a Python environment, on CPU or GPU: sh ${script} python3.`,
  ].join(' ');
}

/** Refuses a second copy of TensorFlow.js: two load without an error, share one engine and mix up their tensors. */
function refuseAnotherCore(name: string, version: string, manifest: string): void {
  const core = '@tensorflow/tfjs-core/package.json';
  const ours = createRequire(require.resolve('@tweedie/core/package.json')).resolve(core);
  const union = find('@tensorflow/tfjs/package.json', createRequire(manifest)) ?? manifest;
  const theirs = find(core, createRequire(union));
  if (theirs === undefined || theirs === ours) return;
  const { version: other } = require(theirs) as { readonly version: string };
  throw refusal(
    `${name} ${version} brings a TensorFlow.js of its own, ${other} in ${dirname(theirs)}, beside ${tf.version_core} in ${dirname(ours)}; two in one process mix up their tensors.`,
    `Install the version that shares ours: npm install --no-save ${name}@${tf.version_core}.`,
  );
}

/**
 * Refuses a Node.js without `util.isNullOrUndefined`, which every operation of tfjs-node 4.22 asks and Node.js 23
 * took away.
 */
function refuseNewerNode(name: string): void {
  if ('isNullOrUndefined' in (require('node:util') as object)) return;
  throw refusal(`${name} does not work on Node.js ${process.version}.`, 'Use Node.js 20 or 22, or another engine.');
}

const firstLine = (text: string): string => (text.trim().split('\n')[0] ?? '').replace(/\.?\s*$/, '');

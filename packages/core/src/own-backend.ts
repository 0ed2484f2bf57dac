import { ConfigError } from './errors.ts';
import { nearest } from './nearest.ts';
import { tf } from './tensorflow.ts';

/**
 * Makes a backend of TensorFlow.js with memory of its own, which computes as `cpu` does, but for the kernels given, by
 * the names that TensorFlow.js has for them (`Square`, `Conv2D`). An engine of one's own begins with it:
 * `eagerEngine({ backend: name, ... })` computes on it, and operation after operation can be replaced. A kernel reads
 * and writes through the `backend` that it is given (`readSync`, `write`). Made again under the same name it has the
 * kernels of the last time. Gives the name. Throws ConfigError for a name that `cpu` or another library has, or a
 * kernel that there is not.
 */
export function ownBackend(name: string, kernels: Readonly<Record<string, tf.KernelFunc>>): string {
  const known = tf.getKernelsForBackend('cpu').map(({ kernelName }) => kernelName);
  const unknown = Object.keys(kernels).find((kernel) => !known.includes(kernel));
  if (unknown !== undefined) {
    const near = nearest(unknown, known);
    throw new ConfigError(
      name,
      `TensorFlow.js has no kernel ${JSON.stringify(unknown)}.`,
      near.length === 0 ? 'docs/jit-kernels.md lists them.' : `Did you mean ${near.join(' or ')}?`,
    );
  }
  if (tf.findBackend(name) === null) tf.registerBackend(name, copyOfCpu);
  else if (!(tf.findBackend(name) as { readonly [OWN]?: true })[OWN])
    throw new ConfigError(name, 'is the name of another backend of TensorFlow.js.', 'Choose another name.');
  for (const { kernelName } of tf.getKernelsForBackend(name)) tf.unregisterKernel(kernelName, name);
  for (const config of tf.getKernelsForBackend('cpu'))
    tf.registerKernel({
      ...config,
      backendName: name,
      kernelFunc: kernels[config.kernelName] ?? config.kernelFunc,
    });
  return name;
}

const OWN = Symbol('made by ownBackend');

const copyOfCpu = (): tf.KernelBackend => {
  const Backend = tf.findBackend('cpu').constructor as new () => tf.KernelBackend;
  return Object.assign(new Backend(), { firstUse: false, [OWN]: true });
};

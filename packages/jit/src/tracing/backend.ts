/**
 * A TensorFlow.js backend that writes a graph instead of computing. While a function is traced, each kernel that
 * TensorFlow.js runs, those of its gradient tape included, appends the operations that its lowering names.
 */
import { messageOf, tf } from '@tweedie/core';
import { type Data, elements, type Graph, inArrayOf, type Value } from '../graph/graph.ts';
import type { Inputs, Lowering } from '../lowering/lowering.ts';
import { lowerings } from '../lowering/index.ts';
import { unlowered } from '../lowering/unlowered.ts';
import type { SourceOf } from './source.ts';
import { sourceLine } from './source-line.ts';

const BACKEND = 'jit';

const stale =
  'jit: this tensor stands for a value inside a compiled function and has no numbers outside of it. A compiled function must be pure: ' +
  'return what you need from it instead of storing it in a variable.';
const unreadable =
  'jit: the numbers of this tensor are not known while the function is traced (dataSync, arraySync, print, a branch on a value). ' +
  'Express the choice with tf.where, or run with --engine eager.';
/** The end of the error for a kernel that only another version of TensorFlow.js has. */
const unknown = 'it has no lowering yet. Add one to packages/jit/src/lowering/index.ts, or run with --engine eager.';
/** The error for a kernel whose lowering throws. */
const refused = (cause: unknown, kernel: string): Error =>
  new Error(`jit: ${messageOf(cause).replace(/^jit: |\.$/g, '')} (kernel ${kernel}, called at ${sourceLine()()}).`, {
    cause,
  });

class TracingBackend extends tf.KernelBackend {
  private readonly traced = new Map<object, { readonly graph: Graph; readonly value: Value }>();
  private readonly written = new Map<object, tf.BackendValues>();
  /** The graph of the trace that is running. */
  graph: Graph | undefined;
  /** Gives the source of the running kernel, in traces that record sources. */
  sourceOf: SourceOf | undefined;

  running(): Graph {
    if (this.graph === undefined) throw new Error(stale);
    return this.graph;
  }

  /** A handle for a value of the running trace. */
  handle(value: Value): tf.TensorInfo {
    if (value.dtype === 'int64' || value.dtype === 'float64')
      throw new Error(`jit: a lowering returned a value of type ${value.dtype}, which TensorFlow.js does not know.`);
    const dataId = {};
    this.traced.set(dataId, { graph: this.running(), value });
    return { dataId, shape: [...value.shape], dtype: value.dtype };
  }

  /**
   * The value of a tensor in the running trace. A tensor that has numbers, on whatever backend, is a constant, and
   * stays where it is.
   */
  value({ dataId, shape, dtype }: tf.TensorInfo): Value {
    const entry = this.traced.get(dataId);
    if (entry !== undefined) {
      if (entry.graph !== this.graph) throw new Error(stale);
      return entry.value;
    }
    if (dtype !== 'float32' && dtype !== 'int32' && dtype !== 'bool') {
      throw new Error(
        `jit: a tensor of type ${dtype} cannot be compiled (float32, int32 and bool can). Or run with --engine eager.`,
      );
    }
    return this.running().constant(inArrayOf(tf.engine().readSync(dataId) as Exclude<Data, BigInt64Array>, dtype), {
      shape,
      dtype,
    });
  }

  override write(values: tf.BackendValues): object {
    const dataId = {};
    this.written.set(dataId, values);
    return dataId;
  }

  override readSync(dataId: object): tf.BackendValues {
    const values = this.written.get(dataId);
    if (values !== undefined) return values;
    const entry = this.traced.get(dataId);
    const constant = entry?.value.source.kind === 'constant' ? elements(entry.value) : undefined;
    if (constant !== undefined && !(constant instanceof BigInt64Array)) return constant;
    throw new Error(entry !== undefined && entry.graph === this.graph ? unreadable : stale);
  }

  override async read(dataId: object): Promise<tf.BackendValues> {
    return this.readSync(dataId);
  }

  override disposeData(dataId: object): boolean {
    this.traced.delete(dataId);
    this.written.delete(dataId);
    return true;
  }

  override move(dataId: object, values: tf.BackendValues): void {
    this.written.set(dataId, values);
  }

  override numDataIds(): number {
    return this.traced.size + this.written.size;
  }
  override refCount(dataId: object): number {
    return this.traced.has(dataId) || this.written.has(dataId) ? 1 : 0;
  }
  override incRef(): void {}
  override memory(): { unreliable: boolean } {
    return { unreliable: false };
  }
  override floatPrecision(): 32 {
    return 32;
  }
  override timerAvailable(): boolean {
    return false;
  }
  override dispose(): void {
    this.traced.clear();
    this.written.clear();
  }
}

function register(backend: TracingBackend, kernelName: string, lowering: Lowering): void {
  tf.registerKernel({
    kernelName,
    backendName: BACKEND,
    kernelFunc({ inputs, attrs }) {
      try {
        const values = Object.entries(inputs).flatMap(([name, info]) =>
          info === undefined || info === null ? [] : [[name, backend.value(info)] as const],
        );
        const graph = backend.running();
        graph.at = backend.sourceOf?.(kernelName);
        const result = lowering(
          graph,
          Object.fromEntries(values) as Inputs,
          attrs ?? {},
          values.map(([, value]) => value),
        );
        return 'source' in result ? backend.handle(result) : result.map((value) => backend.handle(value));
      } catch (cause) {
        throw refused(cause, kernelName);
      }
    },
  });
}

function registerMissing(kernelName: string): void {
  tf.registerKernel({
    kernelName,
    backendName: BACKEND,
    kernelFunc() {
      throw new Error(
        `jit: the TensorFlow.js kernel ${kernelName}, called at ${sourceLine()()}, cannot be compiled: ${unlowered[kernelName] ?? unknown}`,
      );
    },
  });
}

let registered: TracingBackend | undefined;

/** The backend, registered with TensorFlow.js at the first trace. */
export function tracingBackend(): TracingBackend {
  if (registered !== undefined) return registered;
  const backend = new TracingBackend();
  tf.registerBackend(BACKEND, () => backend, 0);
  for (const [kernel, lowering] of Object.entries(lowerings)) register(backend, kernel, lowering);
  const known = new Set([
    ...tf.getKernelsForBackend('cpu').map(({ kernelName }) => kernelName),
    ...Object.keys(unlowered),
  ]);
  for (const kernel of known) if (lowerings[kernel] === undefined) registerMissing(kernel);
  registered = backend;
  return backend;
}

import {
  addCosts,
  type Compiled,
  leavesOf,
  mapTree,
  noCost,
  signatureOf,
  tf,
  type Tensor,
  type TensorTree,
} from '@tweedie/core';
import { operationsOf } from './session/encode.ts';
import { type Explanation, explanationOf } from './explain.ts';
import { inArrayOf, type Value } from './graph/graph.ts';
import { finished } from './passes/finish.ts';
import { blockWidth } from './session/block-width.ts';
import { withModel } from './session/model-file.ts';
import { profiled } from './session/profile.ts';
import {
  createSession,
  type Feeds,
  type PlainTensor,
  type SessionOptions,
  type SessionSettings,
} from './session/session.ts';
import type { SessionPool } from './session/session-pool.ts';
import { inputName, refuseWhileTracing, SCALARS, trace } from './tracing/trace.ts';
import { bytesWritten, largestWork, PLANNED_BELOW, SHARED_FROM } from './graph/work.ts';

export interface JitOptions extends SessionOptions {
  /**
   * A graph gets all `threads` where its largest operation has this many multiply-adds or more, otherwise one thread.
   */
  readonly sharedFrom?: number;
  /** The pool that sessions are taken from, and given back to when the function is disposed of. */
  readonly pool?: SessionPool;
}

/** A compiled function that can be made ready before its first call, and can say what it is made of. */
export interface Jitted<A extends readonly unknown[], R> extends Compiled<A, R> {
  /**
   * Compiles for arguments of these shapes, unless that is done already, and tells how many operations the compiled
   * graph has.
   */
  prepare(...args: Parameters<Compiled<A, R>>): Promise<{ readonly operations: number }>;
  /**
   * Operations, work, memory, and where the time of a call with these arguments goes, by the lines of `fn`. It traces
   * `fn` again and calls it a few times under ONNX Runtime's profiler; none of that is counted in `cost` or
   * `compilations`.
   */
  explain(...args: Parameters<Compiled<A, R>>): Promise<Explanation>;
}

type Program = {
  readonly operations: number;
  readonly run: (feeds: Feeds) => Promise<TensorTree>;
  readonly dispose: () => void;
};

/**
 * Compiles a pure function of tensors, gradients taken in it included, to an ONNX Runtime session: `fn` runs once, on
 * placeholders, for each set of argument shapes; every later call with these shapes runs the finished graph.
 *
 * Arguments and result are trees of tensors. A number among the arguments is a scalar that may change from call to
 * call; a tensor that `fn` captures becomes a constant of the graph. The results are ordinary tensors of the `cpu`
 * backend, owned by the caller. Numbers agree with TensorFlow.js's `cpu` backend to float32 rounding.
 *
 * @throws Error at the first call with new shapes, when `fn` uses an operation without a lowering (the message says
 * where to add one), reads the numbers of a tensor, or is not synchronous.
 */
export function jit<A extends readonly TensorTree[], R extends TensorTree>(
  fn: (...args: A) => R,
  { pool, sharedFrom = SHARED_FROM, ...options }: JitOptions = {},
): Jitted<A, R> {
  const programs = new Map<string, Promise<Program>>();
  let cost = noCost;
  let compilations = 0;
  let disposed = false;

  const settings = (outputs: readonly Value[]): SessionSettings => ({
    ...options,
    ...(largestWork(outputs) < sharedFrom && { threads: 1 }),
    planMemory: bytesWritten(outputs) < PLANNED_BELOW,
  });

  const finish = async (outputs: readonly Value[]): Promise<readonly Value[]> =>
    finished(outputs, { blockWidth: await blockWidth(options.device) });

  async function compile(args: readonly TensorTree[]): Promise<Program> {
    const { inputs, outputs: traced, result, cost: costOfCall } = trace(fn, args);
    compilations++;
    const outputs = await finish(traced);
    const model = { inputs, outputs };
    const make = () => withModel(model, (written) => createSession(written, settings(outputs)));
    const session = await (pool?.take(model, settings(outputs), make) ?? make());
    return {
      operations: operationsOf(outputs).length,
      async run(feeds) {
        const arrays = await session.run(feeds);
        cost = addCosts(cost, costOfCall);
        return mapTree(result, (position) => {
          const array = arrays[Number(position)];
          if (array === undefined) throw new Error('jit: the session gave fewer outputs than the function.');
          const { data, shape, dtype } = array;
          return tf.engine().makeTensor(data, [...shape], dtype, tf.findBackend('cpu'));
        });
      },
      dispose: session.dispose,
    };
  }

  function programOf(args: readonly TensorTree[]): Promise<Program> {
    refuseWhileTracing();
    if (disposed) throw new Error('jit: this compiled function was disposed of.');
    const key = signatureOf(args);
    let program = programs.get(key);
    if (program === undefined) {
      program = compile(args);
      programs.set(key, program);
      program.catch(() => programs.delete(key));
    }
    return program;
  }

  async function call(...args: readonly TensorTree[]): Promise<TensorTree> {
    const program = programOf(args);
    // The arguments are read before the first await: the caller may dispose of its tensors while this call waits.
    const feeds = feedsOf(args);
    return (await program).run(feeds);
  }

  async function explain(...args: readonly TensorTree[]): Promise<Explanation> {
    refuseWhileTracing();
    const feeds = feedsOf(args);
    const { inputs, outputs: traced } = trace(fn, args, { sources: true });
    const outputs = await finish(traced);
    return explanationOf(
      outputs,
      await withModel({ inputs, outputs }, (model) => profiled(model, settings(outputs), feeds)),
    );
  }

  const compiled: unknown = Object.defineProperties(call, {
    prepare: { value: async (...args: readonly TensorTree[]) => ({ operations: (await programOf(args)).operations }) },
    cost: { get: () => cost },
    compilations: { get: () => compilations },
    explain: { value: explain },
    dispose: {
      value() {
        disposed = true;
        for (const program of programs.values())
          program.then(
            (it) => it.dispose(),
            () => undefined,
          );
        programs.clear();
      },
    },
  });
  return compiled as Jitted<A, R>;
}

/** What a session is fed: each tensor under its position, all numbers in one vector. */
function feedsOf(args: readonly TensorTree[]): Feeds {
  const feeds: { [name: string]: PlainTensor } = {};
  const scalars: number[] = [];
  leavesOf(args).forEach((leaf, index) => {
    if (typeof leaf === 'number') scalars.push(leaf);
    else feeds[inputName(index)] = arrayOf(leaf);
  });
  if (scalars.length > 0)
    feeds[SCALARS] = { data: Float32Array.from(scalars), shape: [scalars.length], dtype: 'float32' };
  return feeds;
}
const arrayOf = (tensor: Tensor): PlainTensor => {
  const dtype = tensor.dtype as PlainTensor['dtype'];
  return { data: inArrayOf(tensor.dataSync() as PlainTensor['data'], dtype), shape: tensor.shape, dtype };
};

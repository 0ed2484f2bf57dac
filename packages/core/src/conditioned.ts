/** How the class of a problem reaches the network inside of what a method compiles, without the method's doing. */
import { addCosts, noCost } from './marks.ts';
import type { Compiled, Engine, Measured, Sampler, ScoreModel, Tensor, TensorTree } from './types.ts';

type Ledger = Pick<Compiled<never, unknown>, 'cost' | 'compilations' | 'dispose'>;

/** The parts that a method is bound to, and the sampler that it gives, for problems with and without a class. */
export interface Conditioned {
  /** Whose functions take the condition of the problem that runs as one more input. */
  readonly engine: Engine;
  /** Which is told that condition wherever a method names none. */
  readonly model: ScoreModel;
  /** Each call runs under the condition of its problem. */
  sampler<S extends TensorTree>(made: Sampler<S>): Sampler<S>;
  /** All that was compiled. */
  readonly compiled: readonly Ledger[];
}

/**
 * Wraps engine and model. A function is compiled once more for problems that have a class, with the classes [B] as an
 * input, so that one compilation serves all; without them it is what it would be without this. Samplers run one at a
 * time, as the loop does.
 */
export function conditioned(engine: Engine, model: ScoreModel): Conditioned {
  const compiled: Ledger[] = [];
  /** Of the problem that a sampler is working on. */
  let current: Tensor | undefined;
  /** Of the function that is being traced. */
  let traced: Tensor | undefined;
  const kept = <R extends Ledger>(made: R): R => {
    compiled.push(made);
    return made;
  };
  const compile = <A extends readonly TensorTree[], R extends TensorTree>(fn: (...args: A) => R): Compiled<A, R> => {
    const plain = kept(engine.compile(fn));
    const withClasses = (condition: Tensor, ...args: A): R => {
      const outer = traced;
      traced = condition;
      try {
        return fn(...args);
      } finally {
        traced = outer;
      }
    };
    let other: Compiled<readonly [Tensor, ...A], R> | undefined;
    const call = (...args: readonly unknown[]): Promise<R> => {
      if (current === undefined) return plain(...(args as never));
      other ??= kept(engine.compile<readonly [Tensor, ...A], R>(withClasses));
      return other(...([current, ...args] as never));
    };
    return Object.defineProperties(call, {
      cost: { get: () => addCosts(plain.cost, other?.cost ?? noCost) },
      compilations: { get: () => plain.compilations + (other?.compilations ?? 0) },
      dispose: {
        value: () => {
          plain.dispose();
          other?.dispose();
        },
      },
    }) as Compiled<A, R>;
  };
  const under = async <T>({ condition }: Measured, work: () => T | Promise<T>): Promise<T> => {
    const outer = current;
    current = model.classes === undefined ? undefined : condition;
    try {
      return await work();
    } finally {
      current = outer;
    }
  };
  return {
    engine: { ...engine, compile },
    model: {
      ...model,
      predict: (xt, level, condition) => model.predict(xt, level, condition ?? traced),
    },
    sampler: (made) => {
      const { start, result } = made;
      return {
        ...made,
        step: (state, step, problem, random) => under(problem, () => made.step(state, step, problem, random)),
        ...(start && { start: (problem, first, random) => under(problem, () => start(problem, first, random)) }),
        ...(result && { result: (state, problem) => under(problem, () => result(state, problem)) }),
      };
    },
    compiled,
  };
}

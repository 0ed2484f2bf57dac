import { tf } from './tensorflow.ts';
import type { Cost, Operator, ScoreModel, Tensor, TensorTree } from './types.ts';

/**
 * The cost ledger counts marks: an identity operation that stands at the input of the network and of the operator.
 * Engines count the marks that ran (eager) or that are live in the traced graph (jit), so the count cannot differ from
 * what was computed. The gradient of a mark is again a mark: a reverse pass through the network is a vjp, one through
 * the operator an operator call.
 */
export const MARK = 'TweedieMark';
export type MarkKind = 'forward' | 'vjp' | 'operator';

const mark = <T extends Tensor>(x: T, kind: MarkKind): T => tf.engine().runKernel(MARK, { x }, { kind }) as T;

const kindOf = (attrs: tf.NamedAttrMap): MarkKind => attrs['kind'] as MarkKind;

tf.registerGradient({
  kernelName: MARK,
  gradFunc: (dy, _saved, attrs) => {
    const kind = kindOf(attrs);
    return { x: () => mark(dy as Tensor, kind === 'forward' ? 'vjp' : kind) };
  },
});

/** Adds `rows` calls of a kind. */
export function addMark(cost: Cost, kind: MarkKind, rows: number): Cost {
  switch (kind) {
    case 'forward':
      return { ...cost, forwards: cost.forwards + rows };
    case 'vjp':
      return { ...cost, vjps: cost.vjps + rows };
    case 'operator':
      return { ...cost, operatorCalls: cost.operatorCalls + rows };
  }
}
export const noCost: Cost = { forwards: 0, vjps: 0, operatorCalls: 0 };
export const addCosts = (a: Cost, b: Cost): Cost => ({
  forwards: a.forwards + b.forwards,
  vjps: a.vjps + b.vjps,
  operatorCalls: a.operatorCalls + b.operatorCalls,
});
export const subtractCosts = (a: Cost, b: Cost): Cost => ({
  forwards: a.forwards - b.forwards,
  vjps: a.vjps - b.vjps,
  operatorCalls: a.operatorCalls - b.operatorCalls,
});

let running: Cost | undefined;

/** Runs a compiled function's body on a computing backend and counts its marks. */
export function countMarks(run: () => void): Cost {
  const outer = running;
  running = noCost;
  try {
    run();
    return running;
  } finally {
    running = outer;
  }
}

/** Teaches a computing backend the mark: the same numbers under a new handle, and one count. */
export function registerMark(backendName: string): void {
  tf.registerKernel({
    kernelName: MARK,
    backendName,
    kernelFunc: ({ inputs, backend, attrs }) => {
      const x = inputs['x'];
      if (x === undefined || attrs === undefined) throw new Error('TweedieMark: needs x and a kind.');
      if (running === undefined) {
        throw new Error(
          'The network or the operator was called outside a compiled function, where calls are not counted. Wrap the call in engine.compile.',
        );
      }
      running = addMark(running, kindOf(attrs), x.shape[0] ?? 1);
      (backend as { incRef(dataId: object): void }).incRef(x.dataId);
      return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
    },
  });
}
registerMark('cpu');

/** The model with its calls counted. */
export const meteredModel = (model: ScoreModel): ScoreModel => ({
  ...model,
  predict: (xt, level, condition) => model.predict(mark(xt, 'forward'), level, condition),
});

/**
 * The operator with its calls counted: A, A^T, their gradients, and each use of a pseudo-inverse, a solve or a spectral
 * form as one.
 */
export function meteredOperator<P extends TensorTree>(operator: Operator<P>): Operator<P> {
  const { adjoint, pseudoInverse, solve, svd } = operator;
  return {
    ...operator,
    forward: (x, drawn) => operator.forward(mark(x, 'operator'), drawn),
    ...(adjoint && { adjoint: (v, drawn) => adjoint(mark(v, 'operator'), drawn) }),
    ...(pseudoInverse && { pseudoInverse: (y, drawn) => pseudoInverse(mark(y, 'operator'), drawn) }),
    ...(solve && { solve: (y, ridge, drawn) => solve(mark(y, 'operator'), ridge, drawn) }),
    ...(svd && {
      svd: (drawn) => {
        const form = svd(drawn);
        return { ...form, measurementToSpectral: (y) => form.measurementToSpectral(mark(y, 'operator')) };
      },
    }),
  };
}

import {
  type Capability,
  type Operator,
  type Scheduler,
  type ScoreModel,
  type Setting,
  type Tensor,
  tf,
} from '@tweedie/core';

export type Parts = Omit<Setting, 'engine'>;

/** The tensor itself, through an identity that tells when a gradient passes through it. */
const watched = <T extends Tensor>(x: T, onGradient: () => void): T =>
  tf.customGrad((value) => ({
    value: (value as Tensor).clone(),
    gradFunc: (dy: Tensor) => {
      onGradient();
      return dy;
    },
  }))(x) as T;

/**
 * Parts that note which of their capabilities are used; under an eager engine only, where every step runs the method's
 * own code. A gradient through `forward` also serves as the adjoint (`adjointOf`); so do the gradient of the adjoint
 * and `solve`.
 */
export function recordedParts({ model, operator, scheduler }: Parts): {
  readonly parts: Parts;
  readonly used: ReadonlySet<Capability>;
} {
  const used = new Set<Capability>();
  const note =
    <A extends readonly unknown[], R>(capabilities: readonly Capability[], fn: (...args: A) => R) =>
    (...args: A): R => {
      for (const capability of capabilities) used.add(capability);
      return fn(...args);
    };
  const { mixture } = model;
  const { adjoint, pseudoInverse, solve, svd, denoisingReference } = operator;
  const recordedModel: ScoreModel = {
    ...model,
    ...(mixture && { mixture: note(['model.mixture'], mixture) }),
    predict: (xt, level, condition) =>
      model.predict(
        watched(xt, () => used.add('model.gradient')),
        level,
        condition,
      ),
  };
  const recordedOperator: Operator = {
    ...operator,
    forward: (x, drawn) =>
      operator.forward(
        watched(
          x,
          note(['operator.gradient', 'operator.adjoint'], () => undefined),
        ),
        drawn,
      ),
    ...(adjoint && { adjoint: note(['operator.adjoint'], adjoint) }),
    ...(solve && { solve: note(['operator.adjoint'], solve) }),
    ...(pseudoInverse && { pseudoInverse: note(['operator.pseudoInverse'], pseudoInverse) }),
    ...(svd && { svd: note(['operator.svd'], svd) }),
    ...(denoisingReference && { denoisingReference: note(['operator.reference'], denoisingReference) }),
  };
  const recordedScheduler: Scheduler = {
    ...scheduler,
    transition: note(['scheduler.transition'], scheduler.transition),
  };
  return { parts: { model: recordedModel, operator: recordedOperator, scheduler: recordedScheduler }, used };
}

const refuseGradient = <T extends Tensor>(x: T, what: string): T =>
  watched(x, () => {
    throw new Error(`a gradient is taken through ${what}, which has none here`);
  });

/**
 * The parts without every capability that is not in `needs`: what a method gets where nothing more than its needs is
 * there.
 */
export function barestParts({ model, operator, scheduler }: Parts, needs: readonly Capability[]): Parts {
  const has = (capability: Capability) => needs.includes(capability);
  const linear = has('operator.linear') || has('operator.adjoint');
  const { mixture, ...network } = model;
  const { adjoint, solve: _solve, pseudoInverse, svd, denoisingReference, ...map } = operator;
  return {
    model: {
      ...network,
      ...(mixture && has('model.mixture') && { mixture }),
      predict: (xt, level, condition) =>
        model.predict(has('model.gradient') ? xt : refuseGradient(xt, 'the model'), level, condition),
    },
    operator: {
      ...map,
      linear: linear && operator.linear,
      // A linear operator's adjoint is the gradient of its forward.
      forward: (x, drawn) =>
        operator.forward(linear || has('operator.gradient') ? x : refuseGradient(x, 'the operator'), drawn),
      ...(adjoint && has('operator.adjoint') && { adjoint }),
      ...(pseudoInverse && has('operator.pseudoInverse') && { pseudoInverse }),
      ...(svd && has('operator.svd') && { svd }),
      ...(denoisingReference && has('operator.reference') && { denoisingReference }),
    },
    scheduler: has('scheduler.transition') ? scheduler : movingByAdvance(scheduler),
  };
}

/**
 * A scheduler that moves by `advance`, as Heun's does; its `transition` is for the last step (`compileSteps`), and else
 * not for methods.
 */
function movingByAdvance(scheduler: Scheduler): Scheduler {
  return {
    ...scheduler,
    transition(xt, prediction, step) {
      // Known here: methods are checked without being compiled.
      if (step.index.dataSync()[0] === 0) return scheduler.transition(xt, prediction, step);
      throw new Error('scheduler.transition is called, and this scheduler moves by `advance`');
    },
    advance(_denoise, xt, prediction, step, noise) {
      const { mean, std } = scheduler.transition(xt, prediction, step);
      return mean.add(noise.mul(std));
    },
  };
}

import {
  type BoundGuidance,
  disposeTree,
  type Draw,
  drawBatch,
  type Problem,
  signatureOf,
  stackProblems,
  showShape,
  tf,
  type Tensor,
} from '@tweedie/core';
import { type Check, ensure, short } from './check.ts';
import { type GuidanceSubject, onBothProcesses } from './guidance-subject.ts';
import { bind, type Run, sampleRows } from './sampling.ts';

/** The mean of || y - A(x) ||^2 over a batch of samples. */
async function misfit(
  run: Run,
  problems: readonly Problem[],
  { parts: { operator }, imageShape }: GuidanceSubject,
): Promise<number> {
  const { rows } = await sampleRows(run, problems);
  const { y, drawn } = stackProblems(problems);
  const value = tf.tidy(() => {
    const x = tf.stack(rows.map((row) => tf.tensor3d(row, [...imageShape]))) as tf.Tensor4D;
    return y.sub(operator.forward(x, drawn)).square().sum().dataSync()[0] ?? NaN;
  });
  disposeTree([y, drawn]);
  return value / problems.length;
}

/** The run, with the shape of each state watched: another shape would fail later, in the operator or the model. */
const keepingShapes = (bound: BoundGuidance): BoundGuidance => ({
  ...bound,
  sampler: {
    ...bound.sampler,
    async step(state, step, problem, random) {
      const stepped = await bound.sampler.step(state, step, problem, random);
      const [given, returned] = [signatureOf(state), signatureOf(stepped.state)];
      ensure(
        given === returned,
        () =>
          `step ${step.index} got the state ${given} and returned ${returned}: the state of the next step has the same shapes and the same names. ` +
          'A state that is more than the image is made in `start`, and `result` names its image.',
      );
      return stepped;
    },
  },
});

/** Checks of what comes out of a run. */
export const guidanceResultChecks: readonly Check<GuidanceSubject>[] = [
  ...onBothProcesses({
    name: 'every step gives finite numbers in the right shapes',
    async run({ run, problems, imageShape }) {
      const { bound } = await run();
      const few = problems.slice(0, 3);
      const expectShape = (what: string, tensor: Tensor, wanted: readonly number[], step: number) => {
        const got = showShape(tensor.shape);
        ensure(
          got === showShape(wanted),
          () =>
            `${what} has the shape ${got} in step ${step}, and ${showShape(wanted)} is wanted: three samples of images ${showShape(imageShape)}.`,
        );
        ensure(
          tensor.dataSync().every(Number.isFinite),
          () => `${what} holds a number that is not finite in step ${step} of ${bound.steps.length}.`,
        );
      };
      const draw: Draw = {
        bound: keepingShapes(bound),
        imageShape,
        problems: few,
        samples: few.map(() => 0),
        seed: 0,
        onStep({ step, x0hat, scalars = {} }) {
          if (x0hat) expectShape('x0hat', x0hat, [3, ...imageShape], step.index);
          for (const [name, values] of Object.entries(scalars)) expectShape(`scalars.${name}`, values, [3], step.index);
        },
      };
      await drawBatch(draw, ({ x, failures }) => {
        const failure = failures.find((each) => each !== undefined);
        ensure(
          failure === undefined,
          () => `a sample failed in step ${failure?.step} of ${bound.steps.length}: ${failure?.reason}.`,
        );
        expectShape('the result', x, [3, ...imageShape], 0);
      });
    },
  }),
  {
    name: 'a measurement without noise gives finite samples, or is refused',
    async run({ guidance, parts, run, problems }) {
      if (guidance.refuses?.(parts, 0) !== undefined) return;
      const { failures } = await sampleRows(
        await run(),
        problems.slice(0, 3).map((problem) => ({ ...problem, sigmaY: 0 })),
      );
      const failure = failures.find((each) => each !== undefined);
      ensure(
        failure === undefined,
        () =>
          `at sigmaY 0 a sample failed in step ${failure?.step}: ${failure?.reason}. Something is divided by sigmaY: write it so that it has a limit, or say no in \`refuses\`.`,
      );
    },
  },
  ...onBothProcesses({
    name: 'a guided sample fits y better than an unguided one',
    applies: ({ lowersMisfit = true }) => lowersMisfit,
    async run(subject) {
      const { run, unguided, engine, parts, problems } = subject;
      const free = await bind(unguided, { engine, ...parts });
      const few = problems.slice(0, 8);
      const [guided, without] = [await misfit(await run(), few, subject), await misfit(free, few, subject)];
      free.bound.dispose();
      ensure(
        guided < without,
        () =>
          `the misfit || y - A(x) ||^2 is ${short(guided)} with guidance and ${short(without)} without, the mean of ${few.length} samples: the step probably has the wrong sign, is too long or vanishes.`,
      );
    },
  }),
  {
    name: 'a run leaves no tensors behind, and disposing gives back what was bound',
    async run({ guidance, engine, parts, problems }) {
      const atFirst = tf.memory().numTensors;
      const run = await bind(guidance, { engine, ...parts });
      await sampleRows(run, problems.slice(0, 2));
      const before = tf.memory().numTensors;
      await sampleRows(run, problems.slice(2, 4));
      const left = tf.memory().numTensors - before;
      ensure(
        left === 0,
        () =>
          `a run of ${run.bound.steps.length} steps leaves ${left} tensors behind: something is kept (tf.keep, a variable, a cache). State goes in the returned \`state\`.`,
      );
      run.bound.dispose();
      const held = tf.memory().numTensors - atFirst;
      ensure(
        held === 0,
        () =>
          `${held} tensors remain after \`dispose\`: what \`bind\` or a step made and holds is disposed in the sampler's \`dispose\`.`,
      );
    },
  },
];

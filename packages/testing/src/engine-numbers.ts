import { type Engine, showShape, type Tensor, tensorsOf, tf, type TensorTree, valueAndGrad } from '@tweedie/core';
import { type Check, ensure, short } from './check.ts';
import { engineFunctions } from './engine-functions.ts';
import { type EngineSubject, numbers, SAMPLED, withTensors } from './engine-subject.ts';
import { bind, mixturePrior, randomProblems, relativeDifference, sampleRows } from './sampling.ts';

type Fn = (...args: Tensor[]) => TensorTree;

/** What an engine makes of a function, copied out of its tensors. */
async function resultsOf(engine: Engine, fn: Fn, args: readonly Tensor[]) {
  const compiled = engine.compile(fn as (...args: readonly Tensor[]) => TensorTree);
  try {
    const results = tensorsOf(await compiled(...args));
    const copies = results.map((one) => ({
      type: `${one.dtype} ${showShape(one.shape)}`,
      values: Array.from(one.dataSync()),
    }));
    tf.dispose(results);
    return copies;
  } finally {
    compiled.dispose();
  }
}

/** Refuses results that are not those of plain TensorFlow.js. */
async function ensureSame({ engine, plain, tolerance }: EngineSubject, fn: Fn, args: readonly Tensor[], what: string) {
  const expected = await resultsOf(plain, fn, args);
  const found = await resultsOf(engine, fn, args);
  expected.forEach((one, index) => {
    const other = found[index];
    ensure(
      one.type === other?.type,
      () => `${what}: result ${index} is ${other?.type ?? 'not there'}, and ${one.type} in plain TensorFlow.js.`,
    );
    const gap = relativeDifference(other?.values ?? [], one.values);
    ensure(
      gap <= tolerance,
      () =>
        `${what}: result ${index}, ${one.type}, differs by ${short(gap)} (relative) from plain TensorFlow.js. At first it has ${short(other?.values[0] ?? NaN)} where ${short(one.values[0] ?? NaN)} is right.`,
    );
  });
}

const withArguments = (run: (...args: [Tensor, Tensor, Tensor]) => Promise<void>) =>
  withTensors(
    [numbers([2, 6, 4, 3]), numbers([4, 6], 2), tf.tidy(() => numbers([2, 6, 4, 3], 3).square().add(0.1))],
    run,
  );

/** The gradient of what the results are, squared and averaged, with respect to x. */
const gradientOf =
  (fn: (...args: [Tensor, Tensor, Tensor]) => readonly Tensor[]): Fn =>
  (...[x, matrix, positive]) => {
    if (!x || !matrix || !positive) throw new Error('three arguments are wanted.');
    const squares = (z: Tensor): Tensor =>
      fn(z, matrix, positive)
        .map((result) => result.mul(result).mean())
        .reduce((a, b) => a.add(b));
    return valueAndGrad((z: Tensor) => [squares(z), []], x).gradient;
  };

/** Checks of an engine's numbers against plain TensorFlow.js. */
export const engineNumberChecks: readonly Check<EngineSubject>[] = [
  ...engineFunctions.map(({ name, smooth, fn }) => ({
    name: `${name}${smooth ? ', and their gradients' : ''}, are those of plain TensorFlow.js`,
    run: (subject: EngineSubject) =>
      withArguments(async (...args) => {
        await ensureSame(subject, fn as Fn, args, name);
        if (smooth) await ensureSame(subject, gradientOf(fn), args, `the gradient through ${name}`);
      }),
  })),
  {
    name: 'the gradient of a gradient step is that of plain TensorFlow.js',
    run: (subject) =>
      withArguments((...args) => {
        const step = (x: Tensor): Tensor => x.sub(x.tanh().mul(0.3));
        const twice = gradientOf((x, _, positive) => [step(step(x)).mul(positive)]);
        return ensureSame(subject, twice, args, 'two steps');
      }),
  },
  {
    name: 'the same call gives the same bits, and a row has them whatever the other rows hold',
    async run({ engine }) {
      const first = numbers([1, 6, 4, 3]);
      const [one, other] = [2, 5].map((seed) => tf.tidy(() => tf.concat([first, numbers([3, 6, 4, 3], seed)]))) as [
        Tensor,
        Tensor,
      ];
      const filter = numbers([3, 3, 3, 3], 4) as tf.Tensor4D;
      const compiled = engine.compile((x: Tensor) => {
        const features = tf.conv2d(x as tf.Tensor4D, filter, 1, 'same').tanh();
        return features.mul(features.square().sum([1, 2, 3], true).sqrt());
      });
      try {
        const rows: string[] = [];
        for (const x of [one, one, other]) {
          const result = await compiled(x);
          rows.push(result.dataSync().slice(0, first.size).join());
          result.dispose();
        }
        ensure(rows[0] === rows[1], () => 'the same call gives other bits the second time: runs cannot be repeated.');
        ensure(
          rows[0] === rows[2],
          () => 'the bits of row 0 depend on what rows 1 to 3 hold: a sample would depend on its batch mates.',
        );
      } finally {
        compiled.dispose();
        tf.dispose([first, one, other, filter]);
      }
    },
  },
  {
    name: 'a guided sampling (DPS, inpainting) ends where it ends in plain TensorFlow.js, at the same cost',
    async run({ engine, plain, method, tolerance }) {
      const { guidance, operator, scheduler } = await method();
      const model = await mixturePrior({ imageShape: SAMPLED, components: 5, variances: 0.04 });
      const runs = [];
      for (const one of [plain, engine]) {
        const run = await bind(guidance, { engine: one, model, operator, scheduler });
        runs.push(await sampleRows(run, randomProblems(operator, SAMPLED, 3, 0.2)));
        run.bound.dispose();
      }
      model.dispose?.();
      const [expected, found] = runs;
      if (!expected || !found) throw new Error('two runs are wanted.');
      const failure = found.failures.find((one) => one !== undefined);
      ensure(failure === undefined, () => `a sample failed in step ${failure?.step}: ${failure?.reason}.`);
      expected.rows.forEach((row, index) => {
        const gap = relativeDifference(found.rows[index] ?? [], row);
        ensure(
          gap <= 100 * tolerance,
          () => `sample ${index} is ${short(gap)} (relative) away after ten steps from where plain TensorFlow.js ends.`,
        );
      });
      ensure(
        JSON.stringify(found.cost) === JSON.stringify(expected.cost),
        () => `it counts ${JSON.stringify(found.cost)}, and ${JSON.stringify(expected.cost)} is right.`,
      );
    },
  },
];

import {
  ConfigError,
  type LevelTensors,
  type Image,
  messageOf,
  meteredModel,
  type Scalar,
  type Tensor,
  tensorsOf,
  tf,
  valueAndGrad,
} from '@tweedie/core';
import { type Check, ensure } from './check.ts';
import { type EngineSubject, numbers, SAMPLED, withTensors } from './engine-subject.ts';
import { mixturePrior } from './sampling.ts';

const scaled = (x: Tensor, factor: Scalar): Tensor => x.mul(factor);
const valuesOf = (x: Tensor): string => Array.from(x.dataSync()).join();

/** How a call that is wanted to fail failed; undefined where it did not. */
const failureOf = (call: () => Promise<unknown>): Promise<unknown> =>
  // A call that throws at once is a failure as well.
  Promise.resolve()
    .then(call)
    .then(
      () => undefined,
      (error: unknown) => error,
    );

/** Checks of what an engine promises beside its numbers. */
export const engineBehaviourChecks: readonly Check<EngineSubject>[] = [
  {
    name: 'it says what it is and what runs',
    run({ id, engine }) {
      ensure(
        engine.id === id,
        () => `its id is ${JSON.stringify(engine.id)}, and ${JSON.stringify(id)} in plugin.json.`,
      );
      const facts = Object.entries(engine.facts);
      ensure(facts.length > 0, () => '`facts` is empty: name the version of what computes, and the device.');
      for (const [name, fact] of facts)
        ensure(
          typeof fact === 'string' || Number.isFinite(fact),
          () => `the fact ${name} is ${String(fact)}, and text or a number is wanted.`,
        );
    },
  },
  {
    name: 'numbers are arguments: another number is another result, of the same compilation',
    async run({ engine }) {
      const compiled = engine.compile(scaled);
      await withTensors([tf.tensor1d([1, 2]), tf.tensor1d([1, 2, 3])], async (x, longer) => {
        for (const [given, factor, expected] of [
          [x, 2, '2,4'],
          [x, 3, '3,6'],
          [longer, 3, '3,6,9'],
        ] as const) {
          const result = await compiled(given, factor);
          const found = valuesOf(result);
          result.dispose();
          ensure(
            found === expected,
            () => `[${valuesOf(given)}] times ${factor} is [${found}]: a number was kept from an earlier call.`,
          );
        }
        ensure(
          compiled.compilations === 2,
          () => `${compiled.compilations} compilations after calls with two shapes and two numbers, and 2 are right.`,
        );
      });
      compiled.dispose();
    },
  },
  {
    name: 'results keep the structure that the function gave them, and belong to the caller',
    async run({ engine }) {
      const compiled = engine.compile((x: Tensor) => ({ same: x, twice: [x, x.add(1)], one: 1 }));
      await withTensors([tf.tensor1d([1, 2])], async (x) => {
        const backend = tf.getBackend();
        const result = await compiled(x);
        ensure(
          JSON.stringify(Object.keys(result)) === '["same","twice","one"]' && Array.isArray(result.twice),
          () => `an object of a tensor, a list and a number came back as ${JSON.stringify(Object.keys(result))}.`,
        );
        ensure(
          tensorsOf(result).map(valuesOf).join(' ') === '1,2 1,2 2,3 1',
          () =>
            `[1, 2], itself, itself plus 1 and the number 1 came back as ${tensorsOf(result).map(valuesOf).join(' ')}.`,
        );
        const [first, second] = tensorsOf(result);
        first?.dispose();
        ensure(
          !x.isDisposed && !second?.isDisposed,
          () => 'disposing of one result took an argument or another result with it: each needs a handle of its own.',
        );
        ensure(valuesOf(x) === '1,2', () => `an argument is [${valuesOf(x)}] after the call, and was [1,2].`);
        tf.dispose(tensorsOf(result).filter((one) => !one.isDisposed));
        ensure(
          tf.getBackend() === backend,
          () => `it leaves the backend ${tf.getBackend()} active, which was ${backend}.`,
        );
      });
      compiled.dispose();
    },
  },
  {
    name: 'what a function captures is a constant, which stays usable outside',
    async run({ engine }) {
      await withTensors([tf.tensor1d([1, 2]), tf.tensor1d([10, 20])], async (x, weight) => {
        const compiled = engine.compile((given: Tensor) => given.mul(weight));
        const rounds = [];
        for (let round = 0; round < 2; round++) {
          const result = await compiled(x);
          rounds.push(valuesOf(result), valuesOf(weight));
          result.dispose();
        }
        compiled.dispose();
        rounds.push(valuesOf(weight));
        const found = rounds.join(' ');
        ensure(
          found === '10,40 10,20 10,40 10,20 10,20',
          () => `product and captured tensor are, call by call, ${found}.`,
        );
      });
    },
  },
  {
    name: 'calls that overlap do not meet',
    async run({ engine }) {
      const compiled = engine.compile(scaled);
      await withTensors([numbers([50]), numbers([50], 2)], async (a, b) => {
        const alone: string[] = [];
        for (const [x, factor] of [
          [a, 2],
          [b, 3],
        ] as const) {
          const result = await compiled(x, factor);
          alone.push(valuesOf(result));
          result.dispose();
        }
        const together = await Promise.all([compiled(a, 2), compiled(b, 3)]);
        const same = together.every((result, index) => valuesOf(result) === alone[index]);
        tf.dispose(together);
        ensure(same, () => 'two calls at a time give other numbers than one after the other.');
      });
      compiled.dispose();
    },
  },
  {
    name: 'calls of the network and their gradients are counted, in rows',
    async run({ engine }) {
      const model = await mixturePrior({ imageShape: SAMPLED, components: 3, variances: 0.1 });
      const metered = meteredModel(model);
      const [level] = model.process.table.slice(500);
      if (level === undefined) throw new Error('the process has no levels.');
      const compiled = engine.compile((xt: Image, at: LevelTensors) => {
        const { gradient } = valueAndGrad((x) => [metered.predict(x, at).x0hat.square().sum([1, 2, 3]), []], xt);
        return gradient;
      });
      await withTensors([numbers([3, ...SAMPLED]) as Image], async (xt) => {
        for (let call = 0; call < 2; call++) (await compiled(xt, level)).dispose();
      });
      const found = JSON.stringify(compiled.cost);
      compiled.dispose();
      model.dispose?.();
      ensure(
        found === JSON.stringify({ forwards: 6, vjps: 6, operatorCalls: 0 }),
        () =>
          `two gradients of three rows through the network are counted as ${found}; 6 forwards and 6 vjps are right.`,
      );
    },
  },
  {
    name: 'it refuses chance and clocks in a compiled function',
    async run({ engine }) {
      for (const [name, fn] of [
        ['Math.random', (x: Tensor) => x.mul(Math.random())],
        ['Date.now', (x: Tensor) => x.mul(Date.now())],
        ['tf.randomNormal', (x: Tensor) => x.add(tf.randomNormal(x.shape))],
      ] as const)
        await withTensors([tf.tensor1d([1, 2])], async (x) => {
          const error = await failureOf(async () => engine.compile(fn)(x));
          ensure(
            error instanceof ConfigError && error.message.includes(name),
            () =>
              `a function that asks ${name} ${error === undefined ? 'runs' : `ends with "${messageOf(error)}"`}: run it within \`withoutHiddenInputs\`.`,
          );
        });
    },
  },
  {
    name: 'an error in a function arrives, and the next call works',
    async run({ engine }) {
      const broken = engine.compile((x: Tensor) =>
        tf.grad((z) => {
          z.square().tanh();
          throw new Error('on purpose');
        })(x),
      );
      const sound = engine.compile(scaled);
      await withTensors([tf.tensor1d([1, 2])], async (x) => {
        const backend = tf.getBackend();
        for (let call = 0; call < 2; call++) {
          const error = await failureOf(() => broken(x));
          ensure(
            messageOf(error).includes('on purpose'),
            () => `an Error "on purpose" arrives as ${error === undefined ? 'nothing' : `"${messageOf(error)}"`}.`,
          );
        }
        ensure(tf.getBackend() === backend, () => `after it the backend ${tf.getBackend()} is active, not ${backend}.`);
        const result = await sound(x, 2);
        const found = valuesOf(result);
        result.dispose();
        ensure(found === '2,4', () => `after it [1, 2] times 2 is [${found}].`);
      });
      broken.dispose();
      sound.dispose();
    },
  },
  {
    name: 'it leaves no tensors behind, whether a call ends well or not',
    async run({ engine }) {
      await withTensors([numbers([2, 6, 4, 3]), numbers([3, 3, 3, 2], 2)], async (x, filter) => {
        const round = async (): Promise<void> => {
          const sound = engine.compile((given: Tensor) =>
            tf.grad((z) =>
              tf
                .conv2d(z as tf.Tensor4D, filter as tf.Tensor4D, 1, 'same')
                .tanh()
                .sum(),
            )(given),
          );
          const broken = engine.compile((given: Tensor) =>
            tf.grad((z) => {
              z.square().tanh();
              throw new Error('on purpose');
            })(given),
          );
          for (let call = 0; call < 2; call++) (await sound(x)).dispose();
          await failureOf(() => broken(x));
          sound.dispose();
          broken.dispose();
        };
        await round();
        const before = tf.memory().numTensors;
        await round();
        const left = tf.memory().numTensors - before;
        ensure(left === 0, () => `two calls that end well and one that does not leave ${left} tensors behind.`);
      });
    },
  },
];

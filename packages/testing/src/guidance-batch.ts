import {
  batchRandom,
  initialNoise,
  type Problem,
  stackProblems,
  tensorsOf,
  disposeTree,
  type StepRandom,
  type TensorTree,
} from '@tweedie/core';
import { type Check, ensure, short } from './check.ts';
import type { GuidanceSubject } from './guidance-subject.ts';
import { bind, relativeDifference, type Run, sampleRows } from './sampling.ts';

/**
 * Takes the step at a position from the method's own start, and reads the state that it gives. `watched` are the
 * random numbers that the step gets.
 */
async function stepFromStart<T>(
  { bound: { sampler, steps }, imageShape }: Run,
  problems: readonly Problem[],
  position: number,
  read: (state: TensorTree) => T,
  watched: (random: StepRandom) => StepRandom = (random) => random,
): Promise<T> {
  const [first, step] = [steps[0], steps[position]];
  if (first === undefined || step === undefined)
    throw new Error(`the schedule has ${steps.length} steps, and none at position ${position}.`);
  const measured = stackProblems(problems);
  const random = batchRandom(problems.map(({ hash }) => ({ seed: 0, problem: hash, sample: 0 })));
  const state = sampler.start
    ? await sampler.start(measured, first, random(steps.length))
    : initialNoise(problems.length, imageShape, first.level, random(steps.length));
  const stepped = await sampler.step(state, step, measured, watched(random(step.index)));
  const found = read(stepped.state);
  disposeTree([
    state,
    stepped.state,
    stepped.x0hat ?? [],
    stepped.scalars ?? {},
    measured.y,
    measured.drawn,
  ] as TensorTree);
  return found;
}

/** All numbers of one row of the state after one step from the method's own start. */
const oneStep = (run: Run, problems: readonly Problem[], row: number, position: number): Promise<number[]> =>
  stepFromStart(run, problems, position, (state) =>
    tensorsOf(state).flatMap((leaf) => {
      const each = leaf.size / problems.length;
      return Array.from(leaf.dataSync().slice(row * each, (row + 1) * each));
    }),
  );

const same = (a: ArrayLike<number>, b: ArrayLike<number>): boolean =>
  a.length === b.length && Array.from(a).every((value, i) => Object.is(value, b[i]));

/** Checks that a sample depends on nothing but its problem, its seed and its number. */
export const guidanceBatchChecks: readonly Check<GuidanceSubject>[] = [
  // First: numbers drawn elsewhere fail the next two as well, which would blame batch mates.
  {
    name: 'the same seed gives the same bits, another time and in another binding',
    async run({ run, guidance, engine, parts, problems }) {
      const [bound, again] = [await run(), await bind(guidance, { engine, ...parts })];
      const few = problems.slice(0, 3);
      const { rows: expected } = await sampleRows(bound, few);
      const { rows: repeated } = await sampleRows(bound, few);
      const { rows: rebound } = await sampleRows(again, few);
      again.bound.dispose();
      for (const [when, rows] of [
        ['a second time', repeated],
        ['after binding again', rebound],
      ] as const) {
        const row = rows.findIndex((values, i) => !same(values, expected[i] ?? []));
        ensure(
          row < 0,
          () =>
            `sample ${row} came out ${short(relativeDifference(rows[row] ?? [], expected[row] ?? []))} (relative) away ${when} with the same seed: random numbers are probably drawn elsewhere than from ` +
            '`random` (tf.randomNormal, Math.random), or the method keeps state between runs.',
        );
      }
    },
  },
  {
    name: 'a step with batch mates that have other images and masks equals the step alone',
    async run({ run, problems }) {
      const bound = await run();
      const last = bound.bound.steps.length - 1;
      for (const position of new Set([0, last >> 1, last])) {
        const alone = await oneStep(bound, problems.slice(3, 4), 0, position);
        const together = await oneStep(bound, problems.slice(0, 7), 3, position);
        const moved = relativeDifference(together, alone);
        ensure(
          moved < 1e-5,
          () =>
            `sample 3 moved by ${short(moved)} (relative) in the step at position ${position} when six batch mates were added: a norm, a mean or a maximum is probably ` +
            'taken over the batch. Take it per sample: sampleNorm, sampleSum, sampleDot, perSample.',
        );
      }
    },
  },
  {
    name: 'at one chunk size a sample has the same bits whatever its neighbours and its place',
    async run({ run, problems: [mine, ...others], deterministic = false }) {
      if (mine === undefined) throw new Error('the subject has no problems.');
      const bound = await run();
      const first = await sampleRows(bound, [mine, ...others.slice(0, 7)]);
      const last = await sampleRows(bound, [...others.slice(20, 27), mine]);
      const among = await sampleRows(
        bound,
        [...others.slice(30, 33), mine, mine, mine, ...others.slice(40, 42)],
        [0, 0, 0, 5, 0, 6, 0, 0],
      );
      const expected = first.rows[0] ?? [];
      for (const [place, row] of [
        ['last of the batch', last.rows[7]],
        ['beside other samples of its problem', among.rows[4]],
      ] as const) {
        ensure(
          same(row ?? [], expected),
          () =>
            `a sample changed by ${short(relativeDifference(row ?? [], expected))} (relative) when it was ${place}: its numbers depend on its place or its neighbours.`,
        );
      }
      ensure(deterministic !== !same(among.rows[3] ?? [], expected), () =>
        deterministic
          ? 'samples 0 and 5 of one problem differ, but the test says that the method is deterministic.'
          : 'samples 0 and 5 of one problem are equal: the method does not draw from `random`, or draws before it knows the sample. A reconstruction is declared with `deterministic: true`.',
      );
    },
  },
  {
    name: 'fifty problems of their own are one compilation',
    async run({ run, problems }) {
      const bound = await run();
      await sampleRows(bound, problems.slice(0, 5));
      const before = bound.bound.compilations();
      for (let from = 5; from < problems.length; from += 5) await sampleRows(bound, problems.slice(from, from + 5));
      const more = bound.bound.compilations() - before;
      ensure(
        more === 0,
        () =>
          `${problems.length - 5} more problems took ${more} more compilations: engine.compile is called in \`start\` or \`step\`, or shapes differ from problem to problem. ` +
          'Compile in `bind`, and pass y, drawn parameters and numbers as arguments.',
      );
    },
  },
  {
    name: 'a step draws every purpose once',
    async run({ run, problems }) {
      const seen: string[] = [];
      await stepFromStart(
        await run(),
        problems.slice(0, 2),
        0,
        () => undefined,
        ({ normal, uniform, ...rest }) => ({
          ...rest,
          normal: ((purpose, shape) => (seen.push(purpose), normal(purpose, shape))) as StepRandom['normal'],
          uniform: (purpose, shape) => (seen.push(purpose), uniform(purpose, shape)),
        }),
      );
      const twice = seen.find((purpose, i) => seen.indexOf(purpose) !== i);
      ensure(
        twice === undefined,
        () =>
          `the purpose "${twice}" is drawn ${seen.filter((purpose) => purpose === twice).length} times in one step and gives the same numbers each time. Name every draw of a step apart.`,
      );
    },
  },
];

import type { Guidance, Operator, Problem, TensorTree } from '@tweedie/core';
import { type Check, ensure, short } from './check.ts';
import { type GuidanceSubject, onBothProcesses, type PriorLimit } from './guidance-subject.ts';
import { blindOperator } from './blind-operator.ts';
import { bind, randomProblems, relativeDifference, sampleRows } from './sampling.ts';

/** A sigmaY far beyond any image, whose square is still within float32. */
const HUGE_SIGMA = 1e6;

/** The largest relative difference between the samples of two methods on the same problems. */
async function gap(
  { engine, parts }: GuidanceSubject,
  methods: readonly [Guidance<TensorTree>, Guidance<TensorTree>],
  operator: Operator,
  problems: readonly Problem[],
): Promise<number> {
  const rows: (readonly Float32Array[])[] = [];
  for (const method of methods) {
    const run = await bind(method, { engine, ...parts, operator });
    rows.push((await sampleRows(run, problems)).rows);
    run.bound.dispose();
  }
  const [guided = [], expected = []] = rows;
  return Math.max(...guided.map((row, i) => relativeDifference(row, expected[i] ?? [])));
}

const priorCheck = (
  limit: PriorLimit,
  parts: (subject: GuidanceSubject) => { readonly operator: Operator; readonly problems: readonly Problem[] },
): Check<GuidanceSubject> => ({
  name: `${limit} gives the prior`,
  applies: ({ priorAt = [] }) => priorAt.includes(limit),
  async run(subject) {
    const { operator, problems } = parts(subject);
    const moved = await gap(subject, [subject.guidance, subject.unguided], operator, problems);
    ensure(
      moved < 1e-4,
      () =>
        `with ${limit} the measurement says nothing, but samples differ by ${short(moved)} (relative) from those of guidance/none: the likelihood term does not vanish.`,
    );
  },
});

/** Checks of the limits in which the method must be the unconditional sampler. */
export const guidanceLimitChecks: readonly Check<GuidanceSubject>[] = [
  ...onBothProcesses({
    name: 'switched off it is the unconditional sampler',
    applies: ({ off }) => off !== undefined,
    async run(subject) {
      const { off, unguided, parts, problems } = subject;
      if (off === undefined) return;
      const moved = await gap(subject, [off, unguided], parts.operator, problems.slice(0, 4));
      ensure(
        moved < 1e-4,
        () =>
          `switched off, samples differ by ${short(moved)} (relative) from those of guidance/none: a term does not vanish, or the noise of the step has another purpose than "step". ` +
          'If no option switches the guidance off, say `off: false`.',
      );
    },
  }),
  priorCheck('A = 0', ({ imageShape }) => {
    const operator = blindOperator(imageShape);
    return { operator, problems: randomProblems(operator, imageShape, 4, 0.1) };
  }),
  priorCheck('sigmaY to infinity', ({ parts: { operator }, imageShape }) => ({
    operator,
    problems: randomProblems(operator, imageShape, 4, HUGE_SIGMA),
  })),
];

import { capabilities, type Capability, ConfigError, eagerEngine, type Guidance, type TensorTree } from '@tweedie/core';
import { type Check, ensure } from './check.ts';
import { type GuidanceSubject, SIGMA_Y } from './guidance-subject.ts';
import { barestParts, type Parts, recordedParts } from './recorded-parts.ts';
import { bind, sampleRows } from './sampling.ts';

async function runOnce(guidance: Guidance<TensorTree>, parts: Parts, { problems }: GuidanceSubject): Promise<void> {
  const run = await bind(guidance, { engine: eagerEngine(), ...parts });
  try {
    await sampleRows(run, problems.slice(0, 1));
  } finally {
    run.bound.dispose();
  }
}

/** Whether a call shows that a capability is used: none does for a linear A, or for the law of the noise. */
const observable = (capability: Capability): boolean =>
  capability !== 'operator.linear' && capability !== 'noise.gaussian';

/**
 * The fewest capabilities beyond the manifest's with which a run works: all, less every one that can go, tried in the
 * order of the table. None where no run works.
 */
async function missingNeeds(subject: GuidanceSubject): Promise<readonly Capability[]> {
  const {
    guidance,
    parts,
    manifest: { needs },
  } = subject;
  const works = (added: readonly Capability[]) =>
    runOnce(guidance, barestParts(parts, [...needs, ...added]), subject).then(
      () => true,
      () => false,
    );
  let missing = capabilities.filter((capability) => observable(capability) && !needs.includes(capability));
  if (!(await works(missing))) return [];
  for (const capability of missing) {
    const fewer = missing.filter((each) => each !== capability);
    if (await works(fewer)) missing = fewer;
  }
  return missing;
}

const perStep = (value: number, steps: number): string =>
  steps === 0 ? '0' : Number((value / steps).toFixed(2)).toString();

/** Checks that what the manifest says of needs and costs is what happens. */
export const guidanceClaimChecks: readonly Check<GuidanceSubject>[] = [
  {
    name: 'it uses everything that it says it needs',
    async run(subject) {
      const { parts, used } = recordedParts(subject.parts);
      await runOnce(subject.guidance, parts, subject);
      const idle = subject.manifest.needs.filter((capability) => observable(capability) && !used.has(capability));
      ensure(
        idle.length === 0,
        () =>
          `the manifest needs ${idle.join(', ')}, which no step of a run used: operators and models without it are refused for nothing. Remove it from "needs".`,
      );
    },
  },
  {
    name: 'it needs nothing that it does not say',
    async run(subject) {
      const parts = barestParts(subject.parts, subject.manifest.needs);
      if (subject.guidance.refuses?.(parts, SIGMA_Y) !== undefined) return;
      try {
        await runOnce(subject.guidance, parts, subject);
      } catch (error) {
        if (error instanceof ConfigError) return;
        const claimed = subject.manifest.needs.join(', ') || 'nothing';
        const missing = (await missingNeeds(subject)).join(', ') || 'what it lacks';
        throw new Error(
          `the manifest needs ${claimed}, and with nothing more than that a run fails: ${error instanceof Error ? error.message : String(error)}. Name ${missing} in "needs", or say no in \`refuses\`.`,
          { cause: error },
        );
      }
    },
  },
  {
    name: 'it costs what it says',
    async run({ run, problems, guidance, manifest, parts }) {
      const bound = await run();
      const { steps } = bound.bound;
      const few = problems.slice(0, 2);
      const { cost } = await sampleRows(bound, few);
      const { forwards, vjps } = manifest.costPerStep ?? { forwards: 1, vjps: 0 };
      const own = guidance.cost?.(parts, steps, few[0]?.sigmaY ?? 0);
      const claimed = own ?? { forwards: forwards * steps.length, vjps: vjps * steps.length };
      for (const part of ['forwards', 'vjps'] as const) {
        const counted = cost[part] / few.length;
        ensure(
          counted === claimed[part],
          () =>
            `${own ? 'cost() says' : 'the manifest says'} ${claimed[part]} ${part} for a sample of ${steps.length} steps, and ${counted} were counted ` +
            `(${perStep(claimed[part], steps.length)} and ${perStep(counted, steps.length)} a step). Correct ${own ? '`cost`' : '"costPerStep", or give the method a `cost` where it depends on options'}.`,
        );
      }
    },
  },
];

import { noiseProcess } from '@tweedie/core';
import type { Check } from './check.ts';
import { compilingEngine } from './engine-of.ts';
import { type Kit, titleOf } from './plugin-under-test.ts';
import { schedulerLawChecks } from './scheduler-law.ts';
import { schedulerLevelChecks } from './scheduler-levels.ts';
import { schedulerStepChecks } from './scheduler-steps.ts';
import type { SchedulerSettings, SchedulerSubject } from './scheduler-subject.ts';

export const schedulerChecks: readonly Check<SchedulerSubject>[] = [
  ...schedulerLevelChecks,
  ...schedulerStepChecks,
  ...schedulerLawChecks,
];

export const schedulerKit = ({
  processes = ['vp', 've'],
  marginalTolerance = 0.1,
  lastSigma = 0,
  order,
}: SchedulerSettings): Kit<SchedulerSubject> => ({
  kind: 'scheduler',
  blocksOf: ({ container, manifest, name }, options) =>
    processes.map((kind) => ({
      title: `${titleOf(options)}, on a ${kind} process`,
      async make() {
        const make = (given: object = {}) =>
          container.plugin('scheduler', { id: manifest.id, options: { ...options, ...given } });
        return {
          name,
          process: noiseProcess({ kind }),
          marginalTolerance,
          lastSigma,
          ...(order !== undefined && { order }),
          scheduler: await make(),
          withSteps: (steps) => make({ steps }),
          engine: () => compilingEngine(container),
        };
      },
    })),
  checks: schedulerChecks,
});

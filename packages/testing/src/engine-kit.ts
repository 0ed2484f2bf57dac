import { eagerEngine } from '@tweedie/core';
import type { Check } from './check.ts';
import { engineBehaviourChecks } from './engine-behaviour.ts';
import { engineNumberChecks } from './engine-numbers.ts';
import { SAMPLED, type EngineSettings, type EngineSubject } from './engine-subject.ts';
import { type Kit, titleOf } from './plugin-under-test.ts';

export const engineChecks: readonly Check<EngineSubject>[] = [...engineBehaviourChecks, ...engineNumberChecks];

export const engineKit = ({ tolerance = 1e-5 }: EngineSettings): Kit<EngineSubject> => ({
  kind: 'engine',
  blocksOf: ({ container, manifest: { id } }, options) => [
    {
      title: titleOf(options),
      make: async () => ({
        id,
        tolerance,
        engine: await container.plugin('engine', { id, options }),
        plain: eagerEngine(),
        method: async () => ({
          guidance: await container.plugin('guidance', { id: 'dps' }),
          operator: await container.plugin('operator', { id: 'inpaint' }, { imageShape: SAMPLED }),
          scheduler: await container.plugin('scheduler', { id: 'ddpm', options: { steps: 10 } }),
        }),
      }),
    },
  ],
  checks: engineChecks,
});

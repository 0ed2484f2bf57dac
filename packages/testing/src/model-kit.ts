import type { Check } from './check.ts';
import { compilingEngine } from './engine-of.ts';
import { modelBehaviourChecks } from './model-behaviour.ts';
import { modelPredictionChecks } from './model-predictions.ts';
import { modelSubject, type ModelSettings, type ModelSubject } from './model-subject.ts';
import { type Kit, titleOf } from './plugin-under-test.ts';

export const modelChecks: readonly Check<ModelSubject>[] = [...modelPredictionChecks, ...modelBehaviourChecks];

export const modelKit = ({ tolerance = 1e-5 }: ModelSettings): Kit<ModelSubject> => ({
  kind: 'model',
  blocksOf: ({ container, manifest, name }, options) => [
    {
      title: titleOf(options),
      make: async () =>
        modelSubject(
          { name, manifest, tolerance, make: () => container.plugin('model', { id: manifest.id, options }) },
          await compilingEngine(container),
        ),
    },
  ],
  checks: modelChecks,
});

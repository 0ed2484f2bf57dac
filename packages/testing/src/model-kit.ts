import type { Check } from './check.ts';
import { compilingEngine } from './engine-of.ts';
import { modelBehaviourChecks } from './model-behaviour.ts';
import { modelPredictionChecks } from './model-predictions.ts';
import { modelSubject, type ModelSettings, type ModelSubject } from './model-subject.ts';
import { describePlugin, type Kit, type KitOptions, titleOf } from './plugin-under-test.ts';

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

/** Tests everything that a model must hold, as the README lists; a plugin's test calls it once. */
export function describeModel(url: string, settings: KitOptions & ModelSettings = {}): void {
  describePlugin(url, settings, modelKit(settings));
}

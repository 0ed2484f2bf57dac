import type { Check } from './check.ts';
import { compilingEngine } from './engine-of.ts';
import { modelBehaviourChecks } from './model-behaviour.ts';
import { modelPredictionChecks } from './model-predictions.ts';
import type { ModelSettings, ModelSubject } from './model-subject.ts';
import { describePlugin, type KitOptions, titleOf } from './plugin-under-test.ts';

export const modelChecks: readonly Check<ModelSubject>[] = [...modelPredictionChecks, ...modelBehaviourChecks];

/** What every model must hold; the checks are listed in the README. Called once in the plugin's test. */
export function describeModel(url: string, settings: KitOptions & ModelSettings = {}): void {
  const { tolerance = 1e-5 } = settings;
  describePlugin(
    url,
    'model',
    settings,
    ({ container, manifest, name }, options) => [{
      title: titleOf(options),
      async make() {
        const make = () => container.plugin('model', { id: manifest.id, options });
        const model = await make();
        await model.load?.();
        return { name, manifest, model, make, tolerance, engine: () => compilingEngine(container) };
      },
    }],
    modelChecks,
  );
}

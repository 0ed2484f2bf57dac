import { type Kind, type Manifest, messageOf, readManifest } from '@tweedie/core';
import { type CheckFailure, failuresOf } from './check.ts';
import { datasetKit } from './dataset-kit.ts';
import { engineKit } from './engine-kit.ts';
import { guidanceKit } from './guidance-kit.ts';
import { metricKit } from './metric-kit.ts';
import { modelKit } from './model-kit.ts';
import { operatorKit } from './operator-kit.ts';
import { type Kit, pluginAt } from './plugin-under-test.ts';
import { schedulerKit } from './scheduler-kit.ts';

/** What came of one block of a kit: which checks ran, and which of them failed. */
export type BlockOutcome = {
  readonly title: string;
  readonly checks: readonly string[];
  readonly failures: readonly CheckFailure[];
};

/**
 * Runs the kit of the kind of a plugin, given by its folder or its manifest, with the plugin's default options and the
 * kit's own settings, without a test runner: an outcome for each block, as it ends.
 */
export async function* runKit(plugin: string | Manifest): AsyncGenerator<BlockOutcome> {
  const manifest = typeof plugin === 'string' ? readManifest(plugin) : plugin;
  yield* kits[manifest.kind](manifest);
}

const kits: Readonly<Record<Kind, (manifest: Manifest) => AsyncGenerator<BlockOutcome>>> = {
  guidance: (manifest) => outcomes(manifest, guidanceKit({})),
  operator: (manifest) => outcomes(manifest, operatorKit({})),
  scheduler: (manifest) => outcomes(manifest, schedulerKit({})),
  model: (manifest) => outcomes(manifest, modelKit({})),
  metric: (manifest) => outcomes(manifest, metricKit({})),
  dataset: (manifest) => outcomes(manifest, datasetKit(manifest, {})),
  engine: (manifest) => outcomes(manifest, engineKit({})),
};

async function* outcomes<S>(manifest: Manifest, { kind, blocksOf, checks }: Kit<S>): AsyncGenerator<BlockOutcome> {
  const plugin = pluginAt(manifest, kind);
  try {
    for (const { title, make } of blocksOf(plugin, {})) {
      let subject: S;
      try {
        subject = await make();
      } catch (error) {
        const name = 'it can be made with its defaults';
        yield { title, checks: [name], failures: [{ name, message: messageOf(error) }] };
        continue;
      }
      const asked = checks.filter(({ applies }) => applies?.(subject) !== false);
      yield { title, checks: asked.map(({ name }) => name), failures: await failuresOf(asked, subject) };
    }
  } finally {
    plugin.container.dispose();
  }
}

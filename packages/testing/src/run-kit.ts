import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Kind, messageOf, readManifest } from '@tweedie/core';
import { type CheckFailure, failuresOf } from './check.ts';
import { datasetKit } from './dataset-kit.ts';
import { guidanceKit } from './guidance-kit.ts';
import { metricKit } from './metric-kit.ts';
import { modelKit } from './model-kit.ts';
import { operatorKit } from './operator-kit.ts';
import { type Kit, pluginAt } from './plugin-under-test.ts';
import { schedulerKit } from './scheduler-kit.ts';

/** What came of one block of a kit: how many checks ran, and which failed. */
export type BlockOutcome = {
  readonly title: string;
  readonly checks: number;
  readonly failures: readonly CheckFailure[];
};

/**
 * Runs the kit of a plugin's kind, with the plugin's default options and the kit's own settings, without a test runner:
 * an outcome for each block, as it ends. Engines have no kit, and give none.
 */
export async function* runKit(folder: string): AsyncGenerator<BlockOutcome> {
  const url = pathToFileURL(join(folder, 'plugin.json')).href;
  yield* kits[readManifest(folder).kind](url);
}

const kits: Readonly<Record<Kind, (url: string) => AsyncGenerator<BlockOutcome>>> = {
  guidance: (url) => outcomes(url, guidanceKit({})),
  operator: (url) => outcomes(url, operatorKit({})),
  scheduler: (url) => outcomes(url, schedulerKit({})),
  model: (url) => outcomes(url, modelKit({})),
  metric: (url) => outcomes(url, metricKit({})),
  dataset: (url) => outcomes(url, datasetKit(url, {})),
  engine: async function* () {},
};

async function* outcomes<S>(url: string, { kind, blocksOf, checks }: Kit<S>): AsyncGenerator<BlockOutcome> {
  const plugin = pluginAt(url, kind);
  try {
    for (const { title, make } of blocksOf(plugin, {})) {
      let subject: S;
      try {
        subject = await make();
      } catch (error) {
        yield { title, checks: 1, failures: [{ name: 'it can be made with its defaults', message: messageOf(error) }] };
        continue;
      }
      const asked = checks.filter(({ applies }) => applies?.(subject) !== false);
      yield { title, checks: asked.length, failures: await failuresOf(asked, subject) };
    }
  } finally {
    plugin.container.dispose();
  }
}

/** The kits as tests of vitest, which only this file knows: `runKit` runs the same without a test runner. */
import { NotInstalledError } from '@tweedie/core';
import { afterAll, describe, it } from 'vitest';
import type { Check } from './check.ts';
import { datasetKit } from './dataset-kit.ts';
import { engineKit } from './engine-kit.ts';
import type { EngineSettings } from './engine-subject.ts';
import { guidanceKit } from './guidance-kit.ts';
import type { GuidanceSettings } from './guidance-subject.ts';
import { metricKit, type MetricSettings } from './metric-kit.ts';
import { modelKit } from './model-kit.ts';
import type { ModelSettings } from './model-subject.ts';
import { operatorKit } from './operator-kit.ts';
import type { OperatorSettings } from './operator-subject.ts';
import { type Kit, type KitOptions, manifestChecks, pluginAt } from './plugin-under-test.ts';
import { schedulerKit } from './scheduler-kit.ts';
import type { SchedulerSettings } from './scheduler-subject.ts';

/** Tests everything that a guidance method must hold, as the README lists; a plugin's test calls it once. */
export function describeGuidance(url: string, settings: KitOptions & GuidanceSettings = {}): void {
  describePlugin(url, settings, guidanceKit(settings));
}

/** Tests everything that an operator must hold, as the README lists; a plugin's test calls it once. */
export function describeOperator(url: string, settings: KitOptions & OperatorSettings = {}): void {
  describePlugin(url, settings, operatorKit(settings));
}

/** Tests everything that a scheduler must hold, as the README lists; a plugin's test calls it once. */
export function describeScheduler(url: string, settings: KitOptions & SchedulerSettings = {}): void {
  describePlugin(url, settings, schedulerKit(settings));
}

/** Tests everything that a model must hold, as the README lists; a plugin's test calls it once. */
export function describeModel(url: string, settings: KitOptions & ModelSettings = {}): void {
  describePlugin(url, settings, modelKit(settings));
}

/** Tests everything that a metric must hold, as the README lists; a plugin's test calls it once. */
export function describeMetric(url: string, settings: KitOptions & MetricSettings): void {
  describePlugin(url, settings, metricKit(settings));
}

/** Tests everything that a data set must hold, as the README lists; a plugin's test calls it once. */
export function describeDataset(url: string, settings: KitOptions = {}): void {
  describePlugin(url, settings, datasetKit(url, settings));
}

/**
 * Tests everything that an engine must hold, as the README lists; a plugin's test calls it once. Where its library is
 * not installed (NotInstalledError) it is skipped, with the reason.
 */
export function describeEngine(url: string, settings: KitOptions & EngineSettings = {}): void {
  describePlugin(url, settings, engineKit(settings));
}

/** The tests of a plugin: its manifest, then the blocks that the kit makes of each option set. */
function describePlugin<S>(
  url: string,
  { options = [{}], folder }: KitOptions,
  { kind, blocksOf, checks }: Kit<S>,
): void {
  const plugin = pluginAt(url, kind, folder);
  describe(plugin.name, () => {
    afterAll(() => plugin.container.dispose());
    describeChecks('manifest', () => ({ ...plugin, options }), manifestChecks);
    for (const set of options) {
      for (const { title, make } of blocksOf(plugin, set)) describeChecks(title, make, checks);
    }
  });
}

/**
 * A block of tests, one per check that applies. The subject is made when tests are collected; one whose library is not
 * installed here is skipped.
 */
function describeChecks<S>(title: string, make: () => S | Promise<S>, checks: readonly Check<S>[]): void {
  describe(title, async () => {
    let subject: S;
    try {
      subject = await make();
    } catch (error) {
      if (!(error instanceof NotInstalledError)) throw error;
      it.skip(`is asked where it is installed. Skipped: ${error.message}`, () => undefined);
      return;
    }
    for (const { name, applies, run } of checks) if (applies?.(subject) !== false) it(name, () => run(subject));
  });
}

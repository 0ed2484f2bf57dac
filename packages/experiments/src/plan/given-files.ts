import { ConfigError, type Files, type Registry } from '@tweedie/core';
import type { Labelled } from '../recipe/experiment.ts';

/**
 * Throws ConfigError where a metric names a file that is not there, with how to get it: before the plan, not after the
 * samples are drawn.
 */
export const refuseAbsentFiles = async (
  metrics: readonly Labelled[],
  registry: Registry,
  files: Pick<Files, 'resolve' | 'size'>,
  where: string,
): Promise<void> => {
  for (const [i, { id, options }] of metrics.entries())
    for (const [option, how] of Object.entries(registry.find('metric', id).given ?? {})) {
      const path = options[option];
      if (typeof path !== 'string' || (await files.size(path).catch(() => undefined)) !== undefined) continue;
      throw new ConfigError(
        `${where} /metrics/${i}/options/${option}`,
        `metric/${id} needs ${files.resolve(path)}, which is not there and does not ship.`,
        how,
      );
    }
};

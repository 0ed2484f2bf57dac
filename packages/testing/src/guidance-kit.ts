import type { Check } from './check.ts';
import { guidanceBatchChecks } from './guidance-batch.ts';
import { guidanceClaimChecks } from './guidance-claims.ts';
import { guidanceLimitChecks } from './guidance-limits.ts';
import { guidanceResultChecks } from './guidance-results.ts';
import { guidanceSubject, type GuidanceSettings, type GuidanceSubject } from './guidance-subject.ts';
import { type Kit, type Options, type PluginUnderTest, titleOf } from './plugin-under-test.ts';

export const guidanceChecks: readonly Check<GuidanceSubject>[] = [
  ...guidanceResultChecks,
  ...guidanceBatchChecks,
  ...guidanceLimitChecks,
  ...guidanceClaimChecks,
];

export const guidanceKit = (settings: GuidanceSettings): Kit<GuidanceSubject> => ({
  kind: 'guidance',
  blocksOf: (plugin, options) => [{ title: titleOf(options), make: () => subjectOf(plugin, options, settings) }],
  checks: guidanceChecks,
});

async function subjectOf(
  plugin: PluginUnderTest,
  options: Options,
  settings: GuidanceSettings,
): Promise<GuidanceSubject> {
  const { container, manifest } = plugin;
  const method = (given: Options) => container.plugin('guidance', { id: manifest.id, options: given });
  const off = settings.off ?? switchOf(manifest.options);
  const resolved = container.resolved('guidance', { id: manifest.id, options });
  return guidanceSubject(
    plugin,
    {
      guidance: await method(options),
      ...(off && { off: await method({ ...options, ...off }) }),
      clamp: resolved['clamp'],
    },
    settings,
  );
}

/** The options that switch a method off: `scale` 0, where there is such an option, since a scale is a strength. */
function switchOf({ properties = {} }: Readonly<Record<string, unknown>>): Options | false {
  const { scale } = properties as Readonly<Record<string, { readonly type?: string; readonly minimum?: number }>>;
  return scale?.type === 'number' && scale.minimum === 0 ? { scale: 0 } : false;
}

import { existsSync, statSync } from 'node:fs';
import { kinds, openRegistry, type Kind, type Manifest } from '@tweedie/core';
import type { ExperimentSource } from './plan/workbench.ts';
import { loadPluginFiles } from './recipe/plugin-files.ts';
import { readRecipe } from './recipe/recipe.ts';
import { resolveExperiment } from './recipe/resolve.ts';
import { pluginsOf } from './run/provenance.ts';
import { readIndex } from './run/run-index.ts';

/** What a recipe or a run uses: the plugins, each once, and those that no registry has any more. */
export type UsedPlugins = { readonly manifests: readonly Manifest[]; readonly unknown: readonly string[] };

type Used = { readonly kind: Kind; readonly id: string };

/** The data sets that options name, of a prior that is made of one, say. */
const datasetsIn = (options: unknown): readonly Used[] => {
  if (typeof options !== 'object' || options === null) return [];
  return Object.entries(options).flatMap(([name, value]): readonly Used[] => {
    const id: unknown = typeof value === 'string' ? value : (value as { id?: unknown } | null)?.id;
    const own = name === 'dataset' && typeof id === 'string' ? [{ kind: 'dataset' as const, id }] : [];
    return [...own, ...datasetsIn(value)];
  });
};

/**
 * The plugins that a recipe names, those among the options of its model too; or, given the folder of a run, those that
 * drew it. Throws ConfigError for what is neither, and for anything wrong with the recipe.
 */
export const usedPlugins = async ({
  recipe: source,
  registries,
  localRegistries,
}: ExperimentSource): Promise<UsedPlugins> => {
  if (typeof source === 'string' && existsSync(source) && statSync(source).isDirectory()) {
    const registry = openRegistry({ registries, localRegistries });
    const names = readIndex(source).provenance.map(({ name }) => name);
    const used = names.filter((name) => kinds.some((kind) => name.startsWith(`${kind}/`)));
    const manifests = [...registry.manifests, ...registry.cards].filter(({ kind, id }) =>
      used.includes(`${kind}/${id}`),
    );
    const known = manifests.map(({ kind, id }) => `${kind}/${id}`);
    return { manifests, unknown: used.filter((name) => !known.includes(name)) };
  }
  const { recipe, given } = await loadPluginFiles(readRecipe(source), localRegistries);
  const registry = openRegistry({ folders: [process.cwd(), recipe.folder], registries, localRegistries, given });
  const experiment = resolveExperiment(recipe, registry);
  const used = [...pluginsOf(experiment), ...datasetsIn(experiment.model.options)];
  const manifests = used.map(({ kind, id }) => registry.find(kind, id));
  return { manifests: [...new Set(manifests)], unknown: [] };
};

import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { readJson, type Engine, type Kind, type PluginReference } from '@tweedie/core';
import { identify, pluginHash } from './identity.ts';
import type { Workbench } from '../plan/workbench.ts';
import type { Experiment } from '../recipe/experiment.ts';

export type Fact = { readonly name: string; readonly value: string };

export const VERSION = String(
  (readJson(join(import.meta.dirname, '../../package.json')) as { version: string }).version,
);

/** Commit of the code that runs, with a `+` where files differ from it; undefined outside a repository. */
const commit = (): string | undefined => {
  const git = (...args: string[]): string =>
    execFileSync('git', ['-C', import.meta.dirname, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    return git('rev-parse', 'HEAD') + (git('status', '--porcelain', '--untracked-files=no') === '' ? '' : '+');
  } catch {
    return undefined;
  }
};

/** The ids of a model and of the models that it is made of: the one that its option `model` names, and so on. */
export const modelIds = ({ id, options }: PluginReference): readonly string[] => {
  const inner = options?.['model'];
  if (typeof inner === 'string') return [id, inner];
  return typeof inner === 'object' && inner !== null && 'id' in inner && typeof inner.id === 'string'
    ? [id, ...modelIds(inner as PluginReference)]
    : [id];
};

/** The plugins that an experiment uses, each once. */
export const pluginsOf = (experiment: Experiment): readonly { readonly kind: Kind; readonly id: string }[] => {
  const all: { kind: Kind; id: string }[] = [
    ...modelIds(experiment.model).map((id) => ({ kind: 'model' as const, id })),
    ...(experiment.images.dataset ? [{ kind: 'dataset' as const, id: experiment.images.dataset.id }] : []),
    ...experiment.operators.map(({ id }) => ({ kind: 'operator' as const, id })),
    ...experiment.methods.map(({ id }) => ({ kind: 'guidance' as const, id })),
    ...experiment.methods.map(({ scheduler }) => ({ kind: 'scheduler' as const, id: scheduler.id })),
    { kind: 'engine', id: experiment.engine.id },
    ...experiment.metrics.map(({ id }) => ({ kind: 'metric' as const, id })),
  ];
  return [...new Map(all.map((plugin) => [`${plugin.kind}/${plugin.id}`, plugin])).values()];
};

/** Hash of the code of a plugin that the experiment uses. */
export type CodeOf = (kind: Kind, id: string) => string;

/** Hashes the code of each plugin that the experiment uses. */
export const codeOf = (bench: Workbench): CodeOf => {
  const known = new Map<string, string>();
  const hashes = new Map(
    pluginsOf(bench.experiment).map(({ kind, id }) => [
      `${kind}/${id}`,
      pluginHash(bench.registry.find(kind, id), known),
    ]),
  );
  return (kind, id) => {
    const hash = hashes.get(`${kind}/${id}`);
    if (hash === undefined)
      throw new RangeError(`the code of ${kind}/${id} is not known: the experiment does not name it.`);
    return hash;
  };
};

/** What is known of the published checkpoints that a model is made of, and whether its file is the one of the card. */
const checkpointFacts = ({ experiment, registry, model }: Workbench): readonly Fact[] =>
  modelIds(experiment.model).flatMap((id) => {
    const { card } = registry.find('model', id);
    if (card === undefined) return [];
    const known = card.files.flatMap(({ sha256 }) => sha256 ?? []);
    const same = known.includes(model.weightsHash())
      ? 'the SHA-256 of the weights is that of the card'
      : known.length > 0
        ? 'the SHA-256 of the weights is NOT that of the card'
        : 'the card has no SHA-256 to compare the weights with';
    return [
      {
        name: 'checkpoint',
        value: `${id}, ${card.title}; published at ${card.page}; licence: ${card.licence}; ${same}`,
      },
    ];
  });

/**
 * The facts that the numbers depend on, in the order in which a reader wants them. Call after the model is loaded.
 */
export const provenanceOf = (bench: Workbench, engine: Engine, code: CodeOf): readonly Fact[] => {
  const { experiment, registry, model, chunk, notes } = bench;
  const found = commit();
  return [
    { name: 'Tweedie', value: VERSION + (found === undefined ? '' : `, commit ${found}`) },
    { name: 'recipe', value: `sha256 ${identify(bench.recipe.input)}` },
    { name: 'seed', value: String(experiment.seed) },
    { name: 'model', value: `${experiment.model.id} ${JSON.stringify(experiment.model.options)}` },
    { name: 'weights', value: `sha256 ${model.weightsHash()}` },
    ...checkpointFacts(bench),
    { name: 'scheduler', value: `${experiment.scheduler.id} ${JSON.stringify(experiment.scheduler.options)}` },
    {
      name: 'engine',
      value: [experiment.engine.id, ...Object.entries(engine.facts).map(([name, value]) => `${name} ${value}`)].join(
        ', ',
      ),
    },
    { name: 'chunk', value: `${chunk} samples at once` },
    {
      name: 'machine',
      value: `${cpus()[0]?.model.trim() ?? process.arch}, ${availableParallelism()} threads, ${process.platform}, Node ${process.version}`,
    },
    ...notes.map((value, i) => ({ name: i === 0 ? 'note' : `note ${i + 1}`, value })),
    ...pluginsOf(experiment).map(({ kind, id }) => {
      const { package: name, version } = registry.find(kind, id);
      return { name: `${kind}/${id}`, value: `${name} ${version}, code ${code(kind, id).slice(0, 12)}` };
    }),
  ];
};

/** Chunks that are drawn by processes that this one did not start, on this machine or others. */
import { resolve } from 'node:path';
import { availableParallelism, cpus } from 'node:os';
import { openRegistry, readPluginFile, tellPluginFile, tf, type Engine, type Kind } from '@tweedie/core';
import { childBytes } from '../plan/workers.ts';
import { benchesOf, type PluginOrigin, type Workbench } from '../plan/workbench.ts';
import { partFacts, type ChunkFacts, type ChunkSetup } from './chunk-setup.ts';
import type { CrewTasks } from './crew.ts';
import { pluginHash } from './identity.ts';
import { VERSION } from './provenance.ts';

/** What a process must know to draw chunks of a run: JSON. Problems come apart from it, by their hashes. */
export type ChunkPlan = {
  readonly title: string;
  readonly setup: ChunkSetup;
  /** What must be the same wherever chunks are drawn, by name; the hashes of plugins stand in the setup. */
  readonly facts: ChunkFacts;
  /** Threads of one operation for each shape of images, as the recipe has it; null where the engine has no say. */
  readonly threads: readonly (number | null)[];
  /** Memory that a process takes for a chunk of each shape, as far as is known. */
  readonly bytes: readonly number[];
};

/** Draws all tasks of a plan somewhere, in any order; returns when all results are stored. */
export type DrawElsewhere = (
  plan: ChunkPlan,
  tasks: CrewTasks & {
    /** Tells a reader something, such as where workers are wanted. */
    readonly tell: (message: string) => void;
  },
) => Promise<void>;

/** The kind of processor here: equal bits are promised for one kind. */
export const processorKind = (): string => cpus()[0]?.model.trim() ?? process.arch;

/** The plan of a run from its setup. The model is loaded. */
export const chunkPlan = (setup: ChunkSetup, title: string, bench: Workbench, engine: Engine): ChunkPlan => {
  const { registries } = setup.origin;
  const origin = registries ? { ...setup.origin, registries: registries.map((path) => resolve(path)) } : setup.origin;
  const own = bench.experiment.engine.options['threads'] !== undefined;
  return {
    title,
    setup: { ...setup, origin },
    facts: { Tweedie: VERSION, ...partFacts(engine, bench.model) },
    threads: benchesOf(bench).map(({ threads }) => (own ? null : (threads ?? null))),
    bytes: benchesOf(bench).map((each) => childBytes(each, tf.memory().numBytes)),
  };
};

/** The setup of a plan as it is drawn on this machine: with the threads that it has. */
export const setupHere = ({ setup, threads }: ChunkPlan): ChunkSetup => ({
  ...setup,
  shapes: setup.shapes.map((shape, i) => {
    const most = threads[i] ?? null;
    const { id, options } = shape.engine;
    return most === null
      ? shape
      : { ...shape, engine: { id, options: { ...options, threads: Math.min(most, availableParallelism()) } } };
  }),
});

/**
 * The version here and hashes of the code of plugins, by kind and id; `absent` where there is none of the name. A file
 * of code that `where` names is told before it runs, or refused.
 */
export const codeHere = async (
  { folder, pluginFiles, ...registries }: PluginOrigin,
  names: readonly string[],
  where: string,
): Promise<ChunkFacts> => {
  const given = [];
  for (const file of pluginFiles) {
    tellPluginFile(file, registries.localRegistries, where);
    given.push(await readPluginFile(file));
  }
  const registry = openRegistry({ folders: [process.cwd(), folder], ...registries, given, quiet: true });
  const known = new Map<string, string>();
  const hashOf = (name: string): string => {
    const [kind = '', id = ''] = name.split('/');
    const manifest = registry.manifests.find((each) => each.kind === (kind as Kind) && each.id === id);
    return manifest ? pluginHash(manifest, known) : 'absent';
  };
  return { Tweedie: VERSION, ...Object.fromEntries(names.map((name) => [name, hashOf(name)])) };
};

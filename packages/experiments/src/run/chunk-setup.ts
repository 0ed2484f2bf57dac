/** What another process needs in order to draw chunks of a run: references in place of objects. */
import {
  at,
  canonicalJson,
  ConfigError,
  createContainer,
  modelForShape,
  openRegistry,
  readPluginFile,
  type Container,
  type Engine,
  type Kind,
  type Metric,
  type PluginReference,
  type Registry,
  type ScoreModel,
} from '@tweedie/core';
import { createFiles } from '@tweedie/files';
import { methodPart, type MethodPart, type OperatorPart } from '../plan/parts.ts';
import { engineOn } from '../plan/threads.ts';
import type { PlannedRow } from '../plan/rows.ts';
import { benchesOf, type PluginOrigin, type ShapeParts, type Workbench } from '../plan/workbench.ts';
import type { Labelled, Method, Reference } from '../recipe/experiment.ts';
import { chunkRunner, type ChunkParts, type ChunkRunner } from './chunk-runner.ts';
import { pluginHash } from './identity.ts';
import { misfitMeter } from './misfit.ts';
import { loadProblem } from './problems.ts';
import { pluginsOf } from './provenance.ts';
import type { RunIndex } from './run-index.ts';

/** Plain data that may cross a process; with the problems in `folder` it is all that tasks are drawn from. */
export type ChunkSetup = {
  readonly origin: PluginOrigin;
  /** Run folder, of which problems are read. */
  readonly folder: string;
  readonly model: Reference;
  readonly shapes: readonly (Pick<ShapeParts, 'chunk'> & {
    readonly imageShape: ScoreModel['imageShape'];
    readonly engine: PluginReference;
  })[];
  readonly operators: readonly Labelled[];
  /** The rows of the index: the operator's label, and the method. */
  readonly rows: readonly { readonly operator: string; readonly method: Method }[];
  readonly metrics: readonly Reference[];
  readonly index: ChunkParts['index'] & Pick<RunIndex, 'references'>;
  readonly seed: number;
  readonly trace: number;
  /** Hashes of the code of all plugins named, by kind and id, as the run was prepared with it. */
  readonly code: Readonly<Record<string, string>>;
};

/** What a run is drawn from, for another process. */
export const setupOf = ({
  bench,
  index,
  rows,
  store,
}: {
  readonly bench: Workbench;
  readonly index: RunIndex;
  readonly rows: readonly PlannedRow[];
  readonly store: { readonly folder: string };
}): ChunkSetup => {
  const { experiment, origin, registry } = bench;
  const { images, samples, traced, metrics, range, references } = index;
  const known = new Map<string, string>();
  return {
    origin,
    folder: store.folder,
    model: experiment.model,
    shapes: benchesOf(bench).map((own) => ({
      imageShape: own.model.imageShape,
      chunk: own.chunk,
      engine: engineOn(own),
    })),
    operators: experiment.operators,
    rows: rows.map(({ operator, method: { reference } }) => {
      const { found: _, ...method } = reference;
      return { operator: operator.reference.label, method: { ...method, perProblem: [] } };
    }),
    metrics: experiment.metrics.map(({ id, options }) => ({ id, options })),
    index: {
      images,
      samples,
      traced,
      metrics,
      ...(range && { range }),
      ...(references && { references }),
      rows: index.rows.map(({ problems, cells }) => ({ problems, cells })),
    },
    seed: experiment.seed,
    trace: experiment.trace ?? 0,
    code: Object.fromEntries(
      pluginsOf(experiment).map(({ kind, id }) => [`${kind}/${id}`, pluginHash(registry.find(kind, id), known)]),
    ),
  };
};

/** Refuses to draw where a plugin is not the one that the run was prepared with. */
const checkCode = (registry: Registry, code: ChunkSetup['code']): void => {
  const known = new Map<string, string>();
  for (const [name, hash] of Object.entries(code)) {
    const [kind = '', id = ''] = name.split('/');
    if (pluginHash(registry.find(kind as Kind, id), known) === hash) continue;
    throw new ConfigError(
      name,
      'its code, or that of a package it uses, is not the code that the run was prepared with.',
      'Run the same command again: it draws anew what the code has changed.',
    );
  }
};

/** Everything made once for each key. */
const kept = <T>(): ((key: unknown, make: () => Promise<T>) => Promise<T>) => {
  const made = new Map<string, Promise<T>>();
  return (key, make) => {
    const text = canonicalJson(key);
    const found = made.get(text) ?? make();
    made.set(text, found);
    return found;
  };
};

/** What decides the bits of samples beside recipe and code, by name. */
export type ChunkFacts = Readonly<Record<string, string>>;

/** What is known of an engine and a model that is loaded. How many threads there are is settled by the setup. */
export const partFacts = ({ id, facts }: Engine, model: ScoreModel): ChunkFacts => ({
  ...Object.fromEntries(
    Object.entries(facts)
      .filter(([name]) => name !== 'threads')
      .map(([name, value]) => [`engine ${id}, ${name}`, String(value)]),
  ),
  weights: `sha256 ${model.weightsHash().slice(0, 12)}`,
});

export type ChunkOpener = {
  /** Makes the parts of a setup, those that an earlier one had too only once, and a runner of its tasks. */
  open(setup: ChunkSetup): Promise<{ readonly runner: ChunkRunner; readonly facts: ChunkFacts }>;
  dispose(): void;
};

/**
 * Makes what setups name; all of them have the same origin. `warn` gets what plugins say while chunks are drawn: what
 * they say when they are made was told where the run was prepared.
 */
export const chunkOpener = (warn: (message: string) => void): ChunkOpener => {
  const models = kept<ScoreModel>();
  const operators = kept<OperatorPart>();
  const methods = kept<MethodPart>();
  const metrics = kept<Metric>();
  const meters = new Map<Engine, ReturnType<typeof misfitMeter>>();
  let container: Container | undefined;
  let code = '';
  let making = false;
  let runner: ChunkRunner | undefined;

  const containerOf = async (origin: PluginOrigin): Promise<Container> => {
    const given = [];
    for (const file of origin.pluginFiles) given.push(await readPluginFile(file));
    const { folder, pluginFiles: _, ...registries } = origin;
    return createContainer({
      registry: openRegistry({ folders: [process.cwd(), folder], ...registries, given, quiet: true }),
      files: createFiles(folder),
      warn: (message) => (making ? undefined : warn(message)),
      note: () => undefined,
    });
  };

  const partsOf = async (plugins: Container, setup: ChunkSetup): Promise<ChunkParts> => {
    const { index, seed, trace } = setup;
    const model = await models(setup.model, async () => {
      const made = await plugins.plugin('model', setup.model);
      await made.load?.();
      return made;
    });
    const shapes: ChunkParts['shapes'][number][] = [];
    for (const { imageShape, chunk, engine } of setup.shapes) {
      const own: OperatorPart[] = [];
      for (const reference of setup.operators)
        own.push(
          await operators([reference, imageShape], async () => ({
            reference,
            operator: await plugins.plugin('operator', reference, { imageShape }),
          })),
        );
      shapes.push({
        model: modelForShape(model, imageShape),
        operators: own,
        chunk,
        engine: await plugins.plugin('engine', engine),
      });
    }
    const { operators: first, engine } = at(shapes, 0, 'image shape');
    const rows: ChunkParts['rows'][number][] = [];
    for (const { operator: label, method: reference } of setup.rows) {
      const { id, options, scheduler } = reference;
      const method = await methods([id, options, scheduler], () => methodPart(plugins, model, reference));
      const operator = at(
        first,
        first.findIndex((part) => part.reference.label === label),
        'operator of a row',
      );
      rows.push({ operator, method });
    }
    const images = index.range ? { range: index.range } : index.references ? { references: index.references } : {};
    const made: Metric[] = [];
    for (const reference of setup.metrics)
      made.push(await metrics([reference, images], () => plugins.plugin('metric', reference, images)));
    const misfit = meters.get(engine) ?? misfitMeter(engine);
    meters.set(engine, misfit);
    const problem = (hash: string) => loadProblem(setup.folder, hash);
    return { index, shapes, rows, metrics: made, misfit, seed, trace, problem };
  };

  return {
    async open(setup) {
      making = true;
      try {
        container ??= await containerOf(setup.origin);
        if (canonicalJson(setup.code) !== code) checkCode(container.registry, setup.code);
        code = canonicalJson(setup.code);
        runner?.dispose();
        const parts = await partsOf(container, setup);
        runner = chunkRunner(parts);
        const { engine, model } = at(parts.shapes, 0, 'image shape');
        return { runner, facts: partFacts(engine, model) };
      } finally {
        making = false;
      }
    },
    dispose() {
      runner?.dispose();
      for (const meter of meters.values()) meter.dispose();
      container?.dispose();
    },
  };
};

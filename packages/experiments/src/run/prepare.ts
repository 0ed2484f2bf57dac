import { at, type Engine, type Metric } from '@tweedie/core';
import { truthUnknown, type Labelled, type Reference } from '../recipe/experiment.ts';
import { freeEnergyIndex } from '../plan/free-energy.ts';
import { identify } from './identity.ts';
import type { ImageRange } from './image-range.ts';
import { posteriorRefusal } from '../plan/step-floor.ts';
import type { PlannedRow } from '../plan/rows.ts';
import { cleanImage, storeProblem } from './problems.ts';
import { checkSignal, type Watch } from '../machine/progress.ts';
import { codeOf, modelIds, provenanceOf, VERSION, type CodeOf } from './provenance.ts';
import type { IndexMetric, IndexRow, RunIndex } from './run-index.ts';
import { benchesOf, benchPerImage, type Workbench } from '../plan/workbench.ts';

const plain = ({ id, options }: Reference): Reference => ({ id, options });

const showOptions = (options: Readonly<Record<string, unknown>>): string =>
  Object.entries(options)
    .map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(', ');

/** Hashes of the problems of one operator and noise level, by image. */
type Problems = ReadonlyMap<string, readonly string[]>;
const problemsKey = (operator: Labelled, sigmaY: number): string => `${operator.label}\n${sigmaY}`;

const problemsOn = (problems: Problems, { operator: { reference }, sigmaY }: PlannedRow): readonly string[] => {
  const hashes = problems.get(problemsKey(reference, sigmaY));
  if (hashes === undefined)
    throw new RangeError(`no problems were made of operator ${reference.label} at sigmaY ${sigmaY}.`);
  return hashes;
};

const makeProblems = async (
  bench: Workbench,
  folder: string,
  { signal, onProgress }: Watch,
): Promise<{ problems: Problems; names: readonly string[] }> => {
  const { experiment } = bench;
  const benches = benchPerImage(benchesOf(bench));
  const problems = new Map<string, string[]>();
  const names: string[] = [];
  const total = experiment.images.count;
  for (let position = 0; position < total; position++) {
    checkSignal(signal);
    const image = await cleanImage(bench, position);
    names.push(image.name);
    const own = at(benches, position, 'shape of an image');
    for (const part of own.operators) {
      for (const sigmaY of experiment.sigmaY) {
        const key = problemsKey(part.reference, sigmaY);
        const hashes = problems.get(key) ?? [];
        problems.set(key, hashes);
        hashes.push(storeProblem(folder, own, part, sigmaY, image));
      }
    }
    onProgress?.({ phase: 'problems', done: position + 1, total, label: image.name });
  }
  return { problems, names };
};

/**
 * Hash of everything that the samples of a row depend on beside problem and sample index. Not in it: labels, the order
 * of rows, other methods, the number of images or samples, metrics.
 */
const rowIdentity = (
  { experiment, model, chunk, threads }: Workbench,
  engine: Engine,
  code: CodeOf,
  { operator, method }: PlannedRow,
): string => {
  const { reference } = method;
  const content = method.guidance.contentHash?.();
  const used = [
    ['guidance', reference.id],
    ['scheduler', reference.scheduler.id],
    ...modelIds(experiment.model).map((id) => ['model', id] as const),
    ['operator', operator.reference.id],
    ['engine', experiment.engine.id],
  ] as const;
  return identify({
    tweedie: VERSION,
    seed: experiment.seed,
    model: plain(experiment.model),
    weights: model.weightsHash(),
    operator: plain(operator.reference),
    method: plain(reference),
    ...(content === undefined ? {} : { content }),
    scheduler: plain(reference.scheduler),
    // Not those of this machine: where it has fewer cores the bits are the same.
    engine: {
      ...plain(experiment.engine),
      facts: threads === undefined ? engine.facts : { ...engine.facts, threads },
    },
    chunk,
    code: used.map(([kind, id]) => [kind, code(kind, id)]),
  });
};

type Parts = {
  readonly bench: Workbench;
  readonly rows: readonly PlannedRow[];
  readonly engine: Engine;
  /** The metrics of the experiment, in its order. */
  readonly metrics: readonly Metric[];
  /** What the metrics were told of the images. */
  readonly images: ImageRange;
  readonly command: string;
  readonly watch: Watch;
};

/** Makes the problems and names every cell. The model is loaded. */
export const prepareRun = async (
  { bench, rows, engine, metrics: made, images, command, watch }: Parts,
  folder: string,
): Promise<RunIndex> => {
  const { experiment, model, registry } = bench;
  const freeEnergy = freeEnergyIndex(bench);
  const benches = benchesOf(bench);
  const perImage = benchPerImage(benches);
  const code = codeOf(bench);
  const { problems, names } = await makeProblems(bench, folder, watch);
  const metrics = made.map(({ better, unit, scale }, i): IndexMetric => {
    const { id, label, options } = at(experiment.metrics, i, 'metric of the experiment');
    // The unit has its own place.
    const title = label === id ? registry.find('metric', id).title.replace(` (${unit})`, '') : label;
    // Scores by another spread of the clean images are other scores; a range follows from the sample's own key.
    const key = identify({
      id,
      options,
      code: code('metric', id),
      ...(images.references === undefined ? {} : { references: images.references }),
    });
    return {
      id: label,
      title,
      better,
      ...(unit === undefined ? {} : { unit }),
      ...(scale === undefined ? {} : { scale }),
      key,
    };
  });
  const samples = Array.from({ length: experiment.samples }, (_, sample) => sample);
  return {
    title: experiment.title,
    ...(experiment.notes === undefined ? {} : { notes: experiment.notes }),
    command,
    imageShape: model.imageShape,
    ...(benches.length > 1 ? { shapes: perImage.map(({ model: { imageShape } }) => imageShape) } : {}),
    ...images,
    images: names,
    samples: experiment.samples,
    ...(truthUnknown(experiment.images) ? { truthUnknown: true } : {}),
    ...(freeEnergy === undefined ? {} : { freeEnergy }),
    metrics,
    traced: experiment.trace === undefined ? 0 : Math.min(experiment.traceImages, names.length),
    provenance: provenanceOf(bench, engine, code),
    rows: rows.map((row): IndexRow => {
      const { reference, steps } = row.method;
      const hashes = problemsOn(problems, row);
      // Chunks are of one size for each shape.
      const identities = new Map(benches.map((own) => [own, rowIdentity(own, engine, code, row)]));
      const identityAt = (position: number) => identities.get(at(perImage, position, 'shape of an image'));
      return {
        operator: row.operator.reference.label,
        sigmaY: row.sigmaY,
        label: reference.label,
        method: reference.id,
        options: showOptions(reference.given),
        steps: steps.length,
        problems: hashes,
        cells:
          row.impossible === undefined
            ? hashes.map((problem, position) =>
                samples.map((sample) => identify({ row: identityAt(position), problem, sample })),
              )
            : [],
        ...(reference.sweep === undefined ? {} : { sweep: reference.sweep }),
        ...(posteriorRefusal(bench, row.operator) === undefined ? { posteriorKnown: true as const } : {}),
        ...(reference.id === 'posterior'
          ? { truth: reference.options['statistic'] === 'mean' ? ('mean' as const) : ('draws' as const) }
          : {}),
        ...(reference.floor === true ? { floor: true as const } : {}),
        ...(row.work === undefined ? {} : { work: row.work }),
        ...(reference.found === undefined ? {} : { found: reference.found }),
        ...(row.impossible === undefined ? {} : { skipped: row.impossible }),
      };
    }),
  };
};

import {
  asReference,
  at,
  canonicalJson,
  ConfigError,
  conflict,
  modelForShape,
  resolveOptions,
  showShape,
  type Container,
  type Engine,
  type Guidance,
  type ImageShape,
  type Kind,
  type NoiseLevel,
  type Operator,
  type PluginKinds,
  type Registry,
  type Scheduler,
  type ScoreModel,
  type TensorTree,
} from '@tweedie/core';
import type { ShapeFinder } from './plan/given-picture.ts';
import type { ReferenceInput } from './recipe/recipe.ts';

/** The parts of a sampling, each by reference or as an object of its kind. */
export type PartsInput = {
  readonly model: ReferenceInput | ScoreModel;
  readonly operator: ReferenceInput | Operator;
  readonly method: ReferenceInput | Guidance<TensorTree>;
  /** Scheduler; default `ddpm`. */
  readonly scheduler?: ReferenceInput | Scheduler;
  /** Engine; default `onnxruntime`. */
  readonly engine?: ReferenceInput | Engine;
};

export type ProblemParts = {
  readonly model: ScoreModel;
  readonly operator: Operator;
  readonly container: Container;
};

/** What is asked of several images while the parts are made. */
export type AssemblyOptions = PartsInput & {
  /** Asked when the model is made, before its weights and the operator are read. */
  readonly check?: (parts: Omit<ProblemParts, 'operator'>) => Promise<void>;
  /** The shape of each image. Those of one shape share what is made and compiled. */
  readonly shapes: (parts: ShapeFinder) => Promise<readonly ImageShape[]>;
};

/** Model and operator for the images of one shape, and which images they are, with the noise of each. */
export type Group = {
  readonly model: ScoreModel;
  readonly operator: Operator;
  readonly images: readonly { readonly index: number; readonly noise: NoiseLevel }[];
};

const isReference = (part: ReferenceInput | object): part is ReferenceInput =>
  typeof part === 'string' || ('id' in part && !('compile' in part));

const make = async <K extends Kind>(
  container: Container,
  kind: K,
  part: ReferenceInput | PluginKinds[K],
  extra?: { imageShape: ImageShape },
): Promise<PluginKinds[K]> => (isReference(part) ? container.plugin(kind, asReference(part), extra) : part);

/** The name of an operator in a problem's random numbers: its resolved reference, or that it came as an object. */
export const keyOf = (registry: Registry, part: ReferenceInput | Operator): string => {
  if (!isReference(part)) return 'operator given as an object';
  const { id, options } = { options: {}, ...asReference(part) };
  return canonicalJson({ id, options: resolveOptions(registry.find('operator', id), options) });
};

/** Throws ConfigError where the method cannot work with the other parts. */
const refuseConflict = (options: PartsInput, registry: Registry, parts: Parameters<typeof conflict>[0]): void => {
  const idOf = (kind: Kind, part: ReferenceInput | object) =>
    isReference(part) ? registry.find(kind, asReference(part).id) : undefined;
  const reason = conflict(parts, {
    model: idOf('model', options.model),
    operator: idOf('operator', options.operator),
    guidance: idOf('guidance', options.method),
  });
  if (reason !== undefined)
    throw new ConfigError('sample', `the method cannot work here: ${reason}.`, 'Choose another method or operator.');
};

/** Makes every part and checks it against the others. `noiseOf` says the noise of an image. */
export const assemble = async (
  options: AssemblyOptions,
  noiseOf: (parts: ProblemParts, index: number) => Promise<NoiseLevel>,
  container: Container,
  registry: Registry,
) => {
  const model = await make(container, 'model', options.model);
  await options.check?.({ model, container });
  const operators = new Map<string, Operator>();
  const operatorFor = async (imageShape: ImageShape): Promise<Operator> => {
    const key = showShape(imageShape);
    const operator = operators.get(key) ?? (await make(container, 'operator', options.operator, { imageShape }));
    operators.set(key, operator);
    return operator;
  };
  const shapes = await options.shapes({ model, container, operatorFor });
  const groups: Group[] = [];
  for (const key of new Set(shapes.map(showShape))) {
    const indices = shapes.flatMap((shape, index) => (showShape(shape) === key ? [index] : []));
    const shape = at(shapes, at(indices, 0, 'image of a shape'), 'shape');
    const parts = { model: modelForShape(model, shape), operator: await operatorFor(shape) };
    const images: Group['images'][number][] = [];
    for (const index of indices) images.push({ index, noise: await noiseOf({ ...parts, container }, index) });
    groups.push({ ...parts, images });
  }
  const guidance = await make(container, 'guidance', options.method);
  const scheduler = await make(container, 'scheduler', options.scheduler ?? 'ddpm');
  for (const { model, operator, images } of groups)
    for (const { noise } of images) refuseConflict(options, registry, { model, operator, scheduler, guidance, noise });
  const engine = await make(container, 'engine', options.engine ?? 'onnxruntime');
  await model.load?.();
  return { model, groups, guidance, scheduler, engine };
};

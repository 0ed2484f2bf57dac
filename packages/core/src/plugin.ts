/** What a plugin exports: a factory, given its options and a context. */
import type { Files } from './files.ts';
import type {
  Coefficients,
  Dataset,
  Engine,
  Guidance,
  Image,
  ImageShape,
  Metric,
  Operator,
  Scheduler,
  ScoreModel,
  TensorTree,
} from './types.ts';

/** How a recipe or an option names a plugin. */
export type PluginReference = { readonly id: string; readonly options?: Readonly<Record<string, unknown>> };
/** A reference that may have been written as an id alone. */
export const asReference = (given: string | PluginReference): PluginReference =>
  typeof given === 'string' ? { id: given } : given;

export interface PluginKinds {
  engine: Engine;
  model: ScoreModel;
  operator: Operator;
  guidance: Guidance<TensorTree>;
  scheduler: Scheduler;
  metric: Metric;
  dataset: Dataset;
}
export type Kind = keyof PluginKinds;

/** What a plugin's factory gets beside its options. */
export interface Context {
  /** Reads files; relative paths start at the folder of the experiment. */
  readonly files: Files;
  /** Tells the user something that stops nothing: a file left out, say. */
  warn(message: string): void;
  /** Tells the user what was found, where nothing is wrong: how many pixels a mask hides. Said once each. */
  note?(message: string): void;
  /** Another plugin by reference, its options checked (a data set for a model, say). */
  plugin<K extends Kind>(kind: K, reference: PluginReference): Promise<PluginKinds[K]>;
}
/** Operators are made for one image shape. */
export type OperatorContext = Context & { readonly imageShape: ImageShape };
/** Metrics are made for the images of one run. */
export type MetricContext = Context & {
  /** The range of the images, where they have one: that of the model (`range`, `dataRange`) or of a data set. */
  readonly range?: readonly [low: number, high: number];
  /** Without a range: the smallest and the largest entry of the clean images of the run. */
  readonly references?: readonly [low: number, high: number];
};
/** Data sets are told what their pictures are for. */
export type DatasetContext = Context & {
  /**
   * True where the pictures are measurements: they count as their files hold them. A data set that would scale or crop
   * one, or make its colours grey, refuses it.
   */
  readonly measured?: true;
};
/** What the context of some kinds has beside `Context`. */
export type Extra = Partial<Omit<OperatorContext & MetricContext & DatasetContext, keyof Context>>;

type Factory<O, C, T> = (options: O, context: C) => T | Promise<T>;
export type EngineFactory<O> = Factory<O, Context, Engine>;
export type ModelFactory<O> = Factory<O, Context, ScoreModel>;
export type OperatorFactory<O> = Factory<O, OperatorContext, Operator>;
export type SchedulerFactory<O, C extends Coefficients = Coefficients> = Factory<O, Context, Scheduler<C>>;
export type GuidanceFactory<O, S extends TensorTree = Image> = Factory<O, Context, Guidance<S>>;
export type MetricFactory<O> = Factory<O, MetricContext, Metric>;
export type DatasetFactory<O> = Factory<O, DatasetContext, Dataset>;

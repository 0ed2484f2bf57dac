export type { Progress, Watch } from './machine/progress.ts';
export { type ExperimentInput, type LabelledInput, type MethodInput, readRecipe, type Recipe, type ReferenceInput } from './recipe/recipe.ts';
export { type Experiment, type Labelled, type Method, type Overrides, type Reference, resolveExperiment } from './recipe/experiment.ts';
export { type ExperimentSource, chunkFor } from './plan/workbench.ts';
export { plan, type Plan, type PlanJson, type PlanOptions } from './plan.ts';
export type { PlannedRow } from './plan/rows.ts';
export { quote } from './plan/command.ts';
export { compare, type CompareOptions, type Comparison, type ComparisonFailure, type ComparisonJson, report } from './compare.ts';
export { tune, type Tuned, type TuneOptions, type TuneResult } from './tune.ts';
export { sample, type Sampled, type SampleOptions, type SampleProblem } from './sample.ts';
export { explain, type Explanation, type ExplanationJson, type ExplainOptions } from './explain.ts';
export type { Diversity, ExplainedRow } from './explain/row.ts';
export type { StepSeries } from './explain/series.ts';
export type { MeasureName } from './explain/vectors.ts';
export { freeEnergy, freeEnergyTruth, type FreeEnergyOptions, type FreeEnergyResult, type FreeEnergyTruth, wham } from './statistics/free-energy.ts';
export type { FreeEnergyRow, FreeEnergyTable } from './results/free-energy.ts';
export { operatorPicture, type OperatorPictureOptions } from './operator-picture.ts';
export { restore, type Restored, type RestoreOptions } from './restore.ts';
export { type Cell, openStore, type Score, type Store } from './run/store.ts';
export {
  bonferroni,
  bootstrapInterval,
  cohensD,
  differences,
  holm,
  type Interval,
  mean,
  mseRatio,
  pairedDifference,
  pairedTTest,
  pearson,
  quantile,
  resampledInterval,
  signTest,
  summarise,
  type Summary,
  tInterval,
  type Wins,
  wins,
} from './statistics/statistics.ts';
export { wilcoxon, type Wilcoxon } from './statistics/wilcoxon.ts';
export { kolmogorovSmirnov, type KolmogorovSmirnov } from './statistics/kolmogorov.ts';
export { normalCdf, studentCritical, studentTwoSided } from './statistics/special.ts';

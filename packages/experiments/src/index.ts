export type { Progress, Watch } from './machine/progress.ts';
export {
  type ExperimentInput,
  type LabelledInput,
  type MethodInput,
  readRecipe,
  type Recipe,
  type ReferenceInput,
} from './recipe/recipe.ts';
export { schemaForEditors } from './recipe/schema-for-editors.ts';
export type { Experiment, Overrides } from './recipe/experiment.ts';
export type { ExperimentSource } from './plan/workbench.ts';
export { parseSigma, type SigmaInput } from './recipe/noise.ts';
export { plan, type Plan, type PlanJson, type PlanOptions } from './plan.ts';
export type { PlannedRow } from './plan/rows.ts';
export { quote } from './plan/command.ts';
export { compare, type CompareOptions, type Comparison, report, type ReportOptions } from './compare.ts';
export type { ComparisonJson } from './results/comparison-json.ts';
export { merge, type Merged, type MergeOptions } from './merge.ts';
export { slurmJob, type SlurmJob, type SlurmOptions } from './slurm.ts';
export { exportRun, type Exported, type ExportOptions } from './export.ts';
export { type ExportedProblem, exportProblems, type ExportProblemsOptions } from './problems.ts';
export { tune, type Tuned, type TuneOptions } from './tune.ts';
export type { TuneResult } from './tune/result.ts';
export { type UsedPlugins, usedPlugins } from './used-plugins.ts';
export type { SampleProblem } from './plan/given-problem.ts';
export { sample, type Sampled, type SampleOptions } from './sample.ts';
export { explain, type Explanation, type ExplainOptions } from './explain.ts';
export type { ExplanationJson } from './explain/explanation.ts';
export type { Diversity, ExplainedRow } from './explain/row.ts';
export type { StepSeries } from './explain/series.ts';
export type { MeasureName } from './explain/vectors.ts';
export type { FreeEnergyOptions, FreeEnergyResult, FreeEnergyTruth } from './statistics/free-energy.ts';
export { freeEnergy, freeEnergyTruth } from './statistics/free-energy.ts';
export type { FreeEnergyRow, FreeEnergyTable } from './results/free-energy.ts';
export type { Failure } from './results/summary.ts';
export { operatorPicture, type OperatorPictureOptions } from './operator-picture.ts';
export { restore, type Restored, type RestoredPicture, type RestoreOptions } from './restore.ts';
export { type Cell, LOST, type Score } from './run/cells.ts';
export { type ChunkResult, type ChunkTask, workOf } from './run/chunk.ts';
export type { ChunkFacts } from './run/chunk-setup.ts';
export { type ChunkWorker, startWorker, WorkerEnded } from './run/chunk-worker.ts';
export { lostReason, lostResult } from './run/crew.ts';
export { type ChunkPlan, codeHere, type DrawElsewhere, processorKind, setupHere } from './run/elsewhere.ts';
export { identify } from './run/identity.ts';
export { measureMethod } from './measure-method.ts';
export { type MeasuredRow, type Sheet, sheetPage } from './report/sheet.ts';
export { openResults, type Results } from './run/results.ts';
export { VERSION as tweedieVersion } from './run/provenance.ts';
export { openStore, type Store } from './run/store.ts';
export { bootstrapInterval, holm, type Interval, mseRatio, pearson } from './statistics/statistics.ts';
export { wilcoxon, type Wilcoxon } from './statistics/wilcoxon.ts';
export { kolmogorovSmirnov, type KolmogorovSmirnov } from './statistics/kolmogorov.ts';

// Tests of plugins make pictures and may not import experiments themselves.
export { encodePng } from '@tweedie/files';
export { blindOperator } from './blind-operator.ts';
export { type Check, type CheckFailure, failuresOf } from './check.ts';
export { testContainer, testContext, testOperatorContext } from './context.ts';
export {
  describeDataset,
  describeEngine,
  describeGuidance,
  describeMetric,
  describeModel,
  describeOperator,
  describeScheduler,
} from './describe-kits.ts';
export { datasetChecks, type DatasetSubject } from './dataset-kit.ts';
export { engineChecks } from './engine-kit.ts';
export type { EngineSubject } from './engine-subject.ts';
export { guidanceChecks } from './guidance-kit.ts';
export { guidanceSubject, type GuidanceSettings, type GuidanceSubject } from './guidance-subject.ts';
export { metricChecks, type MetricSettings, type MetricSubject } from './metric-kit.ts';
export { mixtureMean } from './mixture-mean.ts';
export { modelChecks } from './model-kit.ts';
export { modelSubject, type ModelSettings, type ModelSubject } from './model-subject.ts';
export { operatorChecks } from './operator-kit.ts';
export type { OperatorSettings, OperatorSubject } from './operator-subject.ts';
export type { KitOptions, Options } from './plugin-under-test.ts';
export { runKit } from './run-kit.ts';
export {
  bind,
  largestGap,
  mixturePrior,
  randomProblems,
  relativeDifference,
  type Run,
  sampleRows,
} from './sampling.ts';
export { schedulerChecks } from './scheduler-kit.ts';
export type { SchedulerSettings, SchedulerSubject } from './scheduler-subject.ts';
export { lawOfStep, namedImages, stepOnce } from './step-once.ts';

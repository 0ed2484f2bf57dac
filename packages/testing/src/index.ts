// Tests of plugins make pictures and may not import experiments themselves.
export { encodePng } from '@tweedie/files';
export { blindOperator } from './blind-operator.ts';
export { type Check, type CheckFailure, failuresOf } from './check.ts';
export { testContainer, testContext, testOperatorContext } from './context.ts';
export { datasetChecks, type DatasetSubject, describeDataset } from './dataset-kit.ts';
export {
  fixtureFolder,
  fixtureImage,
  type FixtureName,
  fixturePicture,
  fixtureReport,
  hasFixture,
  readFixtureJson,
  readFixtureTensors,
} from './fixtures.ts';
export { gaussianDenoiser, gaussianLaw, type GaussianPrior, type Law, lawAt } from './gaussian-law.ts';
export { describeGuidance, guidanceChecks } from './guidance-kit.ts';
export { guidanceSubject, type GuidanceSettings, type GuidanceSubject, type PriorLimit } from './guidance-subject.ts';
export { bindings, largestDifference, methodWorld, stepsOfSchedule, storedRandom } from './method-fixtures.ts';
export { describeMetric, metricChecks, type MetricSettings, type MetricSubject, type WorkedExample } from './metric-kit.ts';
export { mixtureMean } from './mixture-mean.ts';
export { describeModel, modelChecks } from './model-kit.ts';
export { modelSubject, type ModelSettings, type ModelSubject } from './model-subject.ts';
export { networkCases, smallestNetwork } from './network-fixtures.ts';
export { describeOperator, operatorChecks } from './operator-kit.ts';
export type { OperatorSettings, OperatorSubject } from './operator-subject.ts';
export type { KitOptions, Options } from './plugin-under-test.ts';
export { bind, mixturePrior, randomProblems, relativeDifference, type Run, sampleRows } from './sampling.ts';
export { describeScheduler, schedulerChecks } from './scheduler-kit.ts';
export type { SchedulerSettings, SchedulerSubject } from './scheduler-subject.ts';
export { largestGap, type OperatorFixture, operatorFixtures } from './operator-fixtures.ts';
export { type StepCase, stepFixtures } from './step-fixtures.ts';

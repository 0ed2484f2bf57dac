// Tests of plugins make pictures and may not import experiments themselves.
export { encodePng } from '@tweedie/experiments';
export { blindOperator } from './blind-operator.ts';
export { type Check, type CheckFailure, failuresOf } from './check.ts';
export { testContainer, testContext, testOperatorContext } from './context.ts';
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
export { describeGuidance, guidanceChecks } from './guidance-kit.ts';
export { type GuidanceSettings, guidanceSubject, type GuidanceSubject, type PriorLimit } from './guidance-subject.ts';
export { describeOperator, operatorChecks } from './operator-kit.ts';
export type { OperatorSettings, OperatorSubject } from './operator-subject.ts';
export { gaussianDenoiser, gaussianLaw, type GaussianPrior, type Law, lawAt } from './gaussian-law.ts';
export { bindings, largestDifference, methodWorld, stepsOfSchedule, storedRandom } from './method-fixtures.ts';
export { networkCases } from './network-fixtures.ts';
export { describeScheduler, schedulerChecks } from './scheduler-kit.ts';
export type { SchedulerSettings, SchedulerSubject } from './scheduler-subject.ts';
export { bind, mixturePrior, randomProblems, relativeDifference, type Run, sampleRows } from './sampling.ts';
export type { KitOptions, Options } from './plugin-under-test.ts';
export { largestGap, type OperatorFixture, operatorFixtures } from './operator-fixtures.ts';
export { type StepCase, stepFixtures } from './step-fixtures.ts';

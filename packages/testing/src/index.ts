// Tests of plugins make pictures and may not import experiments themselves.
export { encodePng } from '@tweedie/experiments';
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
export { gaussianLaw } from './gaussian-law.ts';
export { bindings, largestDifference, methodWorld, stepsOfSchedule, storedRandom } from './method-fixtures.ts';
export { networkCases } from './network-fixtures.ts';
export { bind, mixturePrior, randomProblems, relativeDifference, type Run, sampleRows } from './sampling.ts';
export { type StepCase, stepFixtures } from './step-fixtures.ts';

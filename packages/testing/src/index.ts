export { testContext, testOperatorContext } from './context.ts';
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
export { bindings, largestDifference, methodWorld, stepsOfSchedule, storedRandom } from './method-fixtures.ts';

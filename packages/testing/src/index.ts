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

import { describeModel } from '@tweedie/testing';
import { fixtureFolder, smallestNetwork } from '@tweedie/testing/fixtures';

describeModel(import.meta.url, { folder: fixtureFolder('network'), options: smallestNetwork(), tolerance: 1e-4 });

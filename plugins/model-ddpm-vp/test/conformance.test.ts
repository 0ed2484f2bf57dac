import { describeModel, fixtureFolder, smallestNetwork } from '@tweedie/testing';

describeModel(import.meta.url, { folder: fixtureFolder('network'), options: smallestNetwork(), tolerance: 1e-4 });

import { describeDataset } from '@tweedie/testing';

describeDataset(import.meta.url, { options: [{}, { size: 5, count: 3, seed: 1 }] });

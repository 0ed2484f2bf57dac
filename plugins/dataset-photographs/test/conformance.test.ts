import { describeDataset } from '@tweedie/testing';

describeDataset(import.meta.url, { options: [{}, { size: 256 }] });

import { describeDataset } from '@tweedie/testing';

describeDataset(import.meta.url, { options: [{ split: 'test' }] });

import { describeModel } from '@tweedie/testing';

const dataset = { id: 'emoji', options: { size: 32, split: 'validation' } };

describeModel(import.meta.url, { options: [{ dataset, limit: 50 }, { dataset, limit: 50, process: { kind: 've' } }] });

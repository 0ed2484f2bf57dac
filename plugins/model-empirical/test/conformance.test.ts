import { describeModel } from '@tweedie/testing';

const dataset = { id: 'emoji', options: { split: 'test' } };

describeModel(import.meta.url, {
  options: [
    { dataset, limit: 20 },
    { dataset, limit: 20, process: { kind: 've' } },
  ],
});

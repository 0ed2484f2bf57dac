import { describeGuidance } from '@tweedie/testing';

describeGuidance(import.meta.url, {
  priorAt: ['A = 0'],
  options: [{}, { form: 'paper' }, { form: 'squared' }, { form: 'likelihood' }],
});

import { describeScheduler } from '@tweedie/testing';

describeScheduler(import.meta.url, {
  options: [{}, { steps: 100 }, { sigmaMin: 0.02, sigmaMax: 50 }, { noise: 'euler-maruyama' }],
  order: 1,
});

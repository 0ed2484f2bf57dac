import { describeScheduler } from '@tweedie/testing';

describeScheduler(import.meta.url, {
  order: 1,
  options: [{ steps: 100 }, { steps: 200, variance: 'fixed-large' }, { steps: 100, variance: 'learned-range' }],
});

import { describeGuidance } from '@tweedie/testing';

// Only the last step is guided then, and it has no noise to turn.
describeGuidance(import.meta.url, {
  options: [{}, { interval: 3 }, { variant: 'reference' }],
  off: { variant: 'per-sample', interval: 1000 },
});

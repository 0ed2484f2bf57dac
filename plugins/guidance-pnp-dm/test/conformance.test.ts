import { describeGuidance } from '@tweedie/testing';

// Its levels and its noise are its own: no option makes it the scheduler alone.
describeGuidance(import.meta.url, { options: [{ iterations: 12, decay: 0.6, priorSteps: 4 }], off: false });

import { describeScheduler } from '@tweedie/testing';

describeScheduler(import.meta.url, { options: [{}, { sigmaMin: 0.02, sigmaMax: 50, rho: 5 }], order: 2 });
describeScheduler(import.meta.url, { options: [{ order: 1, steps: 100 }], order: 1 });

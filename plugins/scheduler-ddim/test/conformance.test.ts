import { describeScheduler } from '@tweedie/testing';

describeScheduler(import.meta.url, { options: [{}, { eta: 0.5 }, { eta: 1 }], order: 1 });

import { describeScheduler } from '@tweedie/testing';

describeScheduler(import.meta.url);

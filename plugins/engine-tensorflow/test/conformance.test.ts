import { describeEngine } from '@tweedie/testing';

describeEngine(import.meta.url);

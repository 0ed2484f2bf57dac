import { describeGuidance } from '@tweedie/testing';

describeGuidance(import.meta.url);

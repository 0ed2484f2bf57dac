import { describeGuidance } from '@tweedie/testing';

describeGuidance(import.meta.url, { priorAt: ['A = 0', 'sigmaY to infinity'] });

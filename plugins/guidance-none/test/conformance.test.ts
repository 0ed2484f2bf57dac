import { describeGuidance } from '@tweedie/testing';

describeGuidance(import.meta.url, { lowersMisfit: false, priorAt: ['A = 0', 'sigmaY to infinity'] });

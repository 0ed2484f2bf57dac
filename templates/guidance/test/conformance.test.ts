import { describeGuidance } from '@tweedie/testing';

// Limits in which theory gives the prior. A method that uses sigmaY adds 'sigmaY to infinity': forgetting sigmaY fails
// nothing else.
describeGuidance(import.meta.url, { priorAt: ['A = 0'] });

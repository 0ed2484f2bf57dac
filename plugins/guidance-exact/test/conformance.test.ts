import { describeGuidance } from '@tweedie/testing';

describeGuidance(import.meta.url, {
  options: [{}, { path: 'denoiser' }, { path: 'score' }],
  priorAt: ['sigmaY to infinity'],
});

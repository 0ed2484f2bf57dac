import { describeOperator } from '@tweedie/testing';

const imageShapes = [
  [8, 8, 3],
  [1, 16, 1],
  [6, 9, 1],
] as const;

describeOperator(import.meta.url, {
  options: [
    {},
    { kernel: 'anisotropic' },
    { kernel: 'motion', size: 5 },
    { kernel: 'motion', size: 5, border: 'circular' },
  ],
  imageShapes,
  truncates: true,
});
// Nothing is left out of these: all singular values are above the cut-off, or there is no pseudo-inverse.
describeOperator(import.meta.url, {
  options: [
    { kernel: 'gaussian', std: 0.5, border: 'zero' },
    { kernel: 'uniform', size: 3, border: 'circular' },
    { kernel: 'anisotropic', degrees: 30, std: 1.5, stdAcross: 0.5, size: 3, border: 'zero' },
  ],
  imageShapes: imageShapes.slice(0, 2),
});

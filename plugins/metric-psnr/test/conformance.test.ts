import { describeMetric } from '@tweedie/testing';

describeMetric(import.meta.url, {
  best: 80,
  symmetric: true,
  // 0.2 apart in [-1, 1] is 0.1 in [0, 1]; black against white is 1.
  worked: [
    { shape: [4, 4, 3], x: 0, reference: 0.2, value: -10 * Math.log10(0.01 + 1e-8) },
    { shape: [1, 1, 2], x: [-1, 1], reference: 1, value: -10 * Math.log10(0.5) },
  ],
});

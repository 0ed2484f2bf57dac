import { describeMetric } from '@tweedie/testing';

// Two flat images, u = 0.5 and v = 0.6 in [0, 1]: only the means differ, (2 u v + C1) / (u^2 + v^2 + C1) with C1 =
// 1e-4.
describeMetric(import.meta.url, {
  best: 1,
  symmetric: true,
  worked: [{ shape: [12, 12, 1], x: 0, reference: 0.2, value: 0.6001 / 0.6101 }],
});

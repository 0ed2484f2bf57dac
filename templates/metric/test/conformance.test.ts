import { describeMetric } from '@tweedie/testing';

// The value of equal images, whether the two may be exchanged, and values computed by hand, with default options.
describeMetric(import.meta.url, {
  best: 0,
  symmetric: true,
  worked: [
    // 0.2 apart in [-1, 1] is 0.1 in [0, 1]; of two entries one is black against white.
    { shape: [4, 4, 3], x: 0, reference: 0.2, value: 0.1 },
    { shape: [1, 1, 2], x: [-1, 1], reference: 1, value: 0.5 },
  ],
});

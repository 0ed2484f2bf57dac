import { describeModel } from '@tweedie/testing';

const means = [
  [0, 1],
  [2, -1],
];
const shape = [1, 2, 1];

describeModel(import.meta.url, {
  options: [
    { shape, means, variances: 0.5 },
    {
      shape,
      means,
      variances: [
        [1, 2],
        [3, 4],
      ],
      weights: [1, 3],
    },
    {
      shape,
      means,
      covariances: [
        [
          [0.5, 0.2],
          [0.2, 0.3],
        ],
        [
          [1, 0],
          [0, 1],
        ],
      ],
      process: { kind: 've' },
    },
  ],
});

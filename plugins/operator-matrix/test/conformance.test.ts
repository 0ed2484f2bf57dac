import { describeOperator } from '@tweedie/testing';

describeOperator(import.meta.url, {
  options: [
    {
      rows: [
        [1, 2, 0, -1],
        [0.5, 0, 0, 3],
      ],
    },
    { rows: [[0.25, 0.25, 0.25, 0.25]] },
  ],
  imageShapes: [
    [1, 4, 1],
    [2, 2, 1],
  ],
});

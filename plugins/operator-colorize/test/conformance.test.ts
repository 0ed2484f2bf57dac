import { describeOperator } from '@tweedie/testing';

describeOperator(import.meta.url, {
  options: [{}, { channels: 1, weights: [0.3333, 0.3334, 0.3333] }, { weights: [0.5, 0, 0.5] }],
  imageShapes: [
    [8, 8, 3],
    [1, 16, 3],
  ],
});

import { describeOperator } from '@tweedie/testing';

describeOperator(import.meta.url, { options: [{}, { rate: 0.2, maxRate: 0.8 }, { hiddenNoise: 'released' }] });
describeOperator(import.meta.url, {
  options: [{ pattern: 'box' }],
  imageShapes: [
    [8, 8, 3],
    [9, 7, 1],
  ],
});

import { describeOperator } from '@tweedie/testing';

describeOperator(import.meta.url, {
  options: [{}, { factor: 2, reference: 'adjoint' }, { factor: 2.5 }, { factor: 2, kernel: 'block' }],
  imageShapes: [
    [8, 8, 3],
    [1, 16, 1],
    [6, 10, 1],
  ],
});

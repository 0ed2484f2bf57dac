import { describeEngine } from '@tweedie/testing';

// Where a device computes in fewer digits, `tolerance` says how far from plain TensorFlow.js its numbers may be.
describeEngine(import.meta.url, { options: [{}, { own: false }] });

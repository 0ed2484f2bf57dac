import { describeGuidance } from '@tweedie/testing';

describeGuidance(import.meta.url, { options: [{}, { form: 'squared' }], off: { inner: 0 } });

import { describeModel } from '@tweedie/testing';

describeModel(import.meta.url, { options: [{}, { process: 've' }] });

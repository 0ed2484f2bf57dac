import { describeModel } from '@tweedie/testing';

describeModel(import.meta.url, { options: [{}, { channels: 3 }], tolerance: 1e-4 });

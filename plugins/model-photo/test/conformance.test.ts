import { describeModel } from '@tweedie/testing';

describeModel(import.meta.url, { options: [{}], tolerance: 1e-4 });

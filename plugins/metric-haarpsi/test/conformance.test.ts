import { describeMetric } from '@tweedie/testing';

describeMetric(import.meta.url, { best: 1, symmetric: true });

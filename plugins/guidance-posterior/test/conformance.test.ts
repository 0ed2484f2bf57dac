import { describeGuidance } from '@tweedie/testing';

describeGuidance(import.meta.url, { options: [{}] });
describeGuidance(import.meta.url, { options: [{ statistic: 'mean' }], deterministic: true });

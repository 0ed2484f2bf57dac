import { describeGuidance } from '@tweedie/testing';

const quick = { levels: 20, mcmcSteps: 5 };
// Not `sampler: mh`, which uses less than the manifest needs: no gradient of the operator. Its levels and its noise are
// its own: no option makes it the scheduler alone.
describeGuidance(import.meta.url, { options: [quick, { ...quick, variant: 'main', sampler: 'hmc' }], off: false });

import { describeModel } from '@tweedie/testing';
import { fixtureFolder, hasFixture } from '@tweedie/testing/fixtures';

const networks = [
  { weights: 'vp-ddpmpp.pkl' },
  { weights: 've-skip.pkl', process: { kind: 've', sigmaMin: 0.02, sigmaMax: 100 } },
  { weights: 'edm-dhariwal.pkl', label: 3 },
  { weights: 'edm-ncsnpp.bare.pt', preconditioning: 'edm' },
];

describeModel(import.meta.url, {
  folder: fixtureFolder('network-formats'),
  options: networks.filter(({ weights }) => hasFixture('network-formats', weights)),
  tolerance: 1e-4,
});

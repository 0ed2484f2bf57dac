import { describeModel } from '@tweedie/testing';
import { fixtureFolder, hasFixture } from '@tweedie/testing/fixtures';

const networks = [
  { folder: 'ddpm-google' },
  { folder: 'ddpm-mnist', kind: 've' },
  { folder: 'ddpm-scale-shift', label: 2 },
];

describeModel(import.meta.url, {
  folder: fixtureFolder('network-formats'),
  options: networks.filter(({ folder }) => hasFixture('network-formats', folder)),
  tolerance: 1e-4,
});

import { describeMetric } from '@tweedie/testing';
import { fixtureFolder, hasFixture } from '@tweedie/testing/fixtures';

describeMetric(import.meta.url, {
  folder: fixtureFolder('metrics'),
  options: hasFixture('metrics', 'vgg16-tiny.safetensors') ? [{ weights: 'vgg16-tiny.safetensors' }] : [],
  best: 0,
  symmetric: true,
});

import { expect, it } from 'vitest';
import { modelIds } from '../src/run/provenance.ts';

it('a model depends on the code of the models that it is made of', () => {
  expect(modelIds({ id: 'gmm', options: { shape: [1, 2, 1] } })).toEqual(['gmm']);
  expect(modelIds({ id: 'empirical', options: { dataset: { id: 'emoji' } } })).toEqual(['empirical']);
  expect(modelIds({ id: 'tiles', options: { model: 'photo' } })).toEqual(['tiles', 'photo']);
  expect(modelIds({ id: 'a', options: { model: { id: 'b', options: { model: { id: 'c' } } } } })).toEqual([
    'a',
    'b',
    'c',
  ]);
});

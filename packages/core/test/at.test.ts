import { expect, it } from 'vitest';
import { at } from '../src/index.ts';

it('at: the entry, falsy ones too, and an error with what is missing and where', () => {
  expect([at([0, 1], 0, 'number'), at(Float32Array.of(NaN), 0, 'score'), at([''], 0, 'name')]).toEqual([0, NaN, '']);
  expect(() => at(['a', 'b'], 2, 'problem')).toThrow('there is no problem at 2, the list has 2.');
  expect(() => at([], NaN, 'row')).toThrow('there is no row at NaN, the list has 0.');
});

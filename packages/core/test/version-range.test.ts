import { expect, it } from 'vitest';
import { satisfies } from '../src/version-range.ts';

// What node-semver 7 says of them.
it.each([
  ['0.1.0', '0.1.0', true],
  ['0.1.1', '0.1.0', false],
  ['0.1.9', '^0.1.2', true],
  ['0.2.0', '^0.1.2', false],
  ['0.1.1', '^0.1.2', false],
  ['0.0.4', '^0.0.3', false],
  ['1.9.9', '^1.2.3', true],
  ['2.0.0', '^1.2.3', false],
  ['0.9.0', '^0', true],
  ['1.0.0', '^0', false],
  ['1.2.9', '~1.2.3', true],
  ['1.3.0', '~1.2.3', false],
  ['1.9.0', '~1', true],
  ['0.1.7', '0.1.x', true],
  ['0.2.0', '0.1.x', false],
  ['0.1.7', '0.1', true],
  ['3.4.5', '3', true],
  ['0.2.5', '>=0.1.0 <0.3.0', true],
  ['0.3.0', '>= 0.1.0 < 0.3.0', false],
  ['1.0.0', '>=0.1.0 <0.3.0 || 1.0.0', true],
  ['5.0.0', '*', true],
  ['5.0.0', '', true],
  ['5.0.0', 'file:../core', true],
  ['5.0.0', 'latest', true],
])('%s in %j is %s', (version, range, expected) => expect(satisfies(version, range)).toBe(expected));

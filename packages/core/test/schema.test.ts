import { Ajv } from 'ajv';
import { afterEach, expect, it, vi } from 'vitest';
import { validate } from '../src/schema.ts';

afterEach(() => vi.restoreAllMocks());

it('compiles a schema once, however often it is read anew', () => {
  const compile = vi.spyOn(Ajv.prototype, 'compile');
  const read = () => ({
    $id: 'schema-test-once',
    type: 'object',
    properties: { scale: { type: 'number', default: 3 } },
  });
  for (let i = 0; i < 100; i++) expect(validate(read(), {}, 'here')).toEqual({ scale: 3 });
  expect(compile).toHaveBeenCalledTimes(1);
});

it('forgets schemas beyond a number, and is right about each all the same', () => {
  const [compile, made] = [vi.spyOn(Ajv.prototype, 'compile'), 600];
  const check = (i: number): number => validate({ type: 'number', maximum: i }, i, 'here');
  for (let i = 0; i < made; i++) {
    expect(check(i)).toBe(i);
    expect(() => validate({ type: 'number', maximum: i }, i + 1, 'here')).toThrow(`must be <= ${i}, got ${i + 1}.`);
  }
  expect(compile).toHaveBeenCalledTimes(made);
  // Several compilers served, so that none keeps all.
  expect(new Set(compile.mock.contexts).size).toBeGreaterThan(1);
  expect(check(0)).toBe(0);
});

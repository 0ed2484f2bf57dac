import { expect, it } from 'vitest';
import { validate } from '../src/schema.ts';

it('compiles a schema once, however often it is read anew', () => {
  let reads = 0;
  // Whoever compiles a schema reads its keywords many times; whoever knows it by its content reads each once.
  const read = () => ({
    $id: 'schema-test-once',
    type: 'number',
    get maximum() {
      reads++;
      return 3;
    },
  });
  expect(validate(read(), 2, 'here')).toBe(2);
  reads = 0;
  for (let i = 0; i < 100; i++) expect(validate(read(), 2, 'here')).toBe(2);
  expect(reads).toBe(100);
});

it('forgets schemas beyond a number, and is right about each all the same', () => {
  const named = (maximum: number) => ({ $id: 'schema-test-forgotten', type: 'number', maximum });
  validate(named(1), 1, 'here');
  for (let i = 0; i < 300; i++)
    expect(() => validate({ type: 'number', maximum: i }, i + 1, 'here')).toThrow(`must be <= ${i}, got ${i + 1}.`);
  // A compiler refuses another schema of a name that it remembers.
  expect(validate(named(2), 2, 'here')).toBe(2);
});

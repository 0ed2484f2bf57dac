import { capabilities, readJson } from '@tweedie/core';
import { join } from 'node:path';
import { expect, it } from 'vitest';

type Schema = {
  readonly definitions: { readonly capabilities: { readonly items: { readonly enum: readonly string[] } } };
};

it('the schema of manifests names every capability, and nothing else', () => {
  const { definitions } = readJson(join(import.meta.dirname, '../schemas/plugin.schema.json')) as Schema;
  expect(definitions.capabilities.items.enum.toSorted()).toEqual(capabilities.toSorted());
});

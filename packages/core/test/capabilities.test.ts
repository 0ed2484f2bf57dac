import { capabilities, readJson } from '@tweedie/core';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

type Schema = {
  readonly definitions: { readonly capabilities: { readonly items: { readonly enum: readonly string[] } } };
};

it('the schema of manifests names every capability, and nothing else', () => {
  const { definitions } = readJson(join(import.meta.dirname, '../schemas/plugin.schema.json')) as Schema;
  expect(definitions.capabilities.items.enum.toSorted()).toEqual(capabilities.toSorted());
});

it('every capability is explained in docs/write-a-plugin.md', () => {
  const page = readFileSync(new URL('../../../docs/write-a-plugin.md', import.meta.url), 'utf8');
  const table = page.split('| capability |')[1]?.split('\n\n')[0] ?? '';
  expect(capabilities.filter((name) => !table.includes(`\`${name}\``))).toEqual([]);
});

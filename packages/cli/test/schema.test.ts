/** The schema for editors takes every recipe that ships, and knows the user's own plugins and their options. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JsonSchema, openRegistry, validate } from '@tweedie/core';
import { readRecipe, schemaForEditors } from '@tweedie/experiments';
import { afterAll, describe, expect, it } from 'vitest';
import { tweedie } from './start.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-schema-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Without what only editors read; a property may be called default too. */
const isForEditors = (key: string, value: unknown): boolean =>
  key === 'enumDescriptions' ||
  (key === 'default' && !(typeof value === 'object' && value !== null && 'description' in value));
const strict = (schema: JsonSchema): JsonSchema =>
  JSON.parse(
    JSON.stringify(schema, (key, value: unknown) => (isForEditors(key, value) ? undefined : value)),
  ) as JsonSchema;
const recipes = join(import.meta.dirname, '../../../recipes');

describe('the schema for editors', () => {
  const schema = strict(schemaForEditors(openRegistry({ quiet: true })));
  const complaint = (recipe: unknown): string => {
    try {
      validate(schema, recipe, 'recipe');
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };

  it.each(readdirSync(recipes).filter((name) => name.endsWith('.yaml')))('takes recipes/%s', (name) => {
    expect(complaint(readRecipe(join(recipes, name)).input)).toBe('');
  });

  const small = (method: unknown) => ({
    model: 'photo',
    images: { dataset: 'photographs', count: 1 },
    operators: ['identity'],
    sigmaY: 0.1,
    methods: [method],
  });
  it('knows ids, options, their ranges, presets and sweeps, and lets files be', () => {
    expect(complaint(small({ id: 'dps', options: { scale: [1, 2] } }))).toBe('');
    expect(complaint(small({ id: 'dps', options: { preset: 'ffhq/inpaint-random' } }))).toBe('');
    expect(complaint(small('./mine.ts'))).toBe('');
    expect(complaint(small('dpsw'))).not.toBe('');
    expect(complaint(small({ id: 'dps', options: { scale: -1 } }))).not.toBe('');
    expect(complaint(small({ id: 'dps', options: { scal: 1 } }))).toMatch(/"scal" is not a known key/);
    expect(complaint(small({ id: 'dps', options: { preset: 'ffhq/nothing' } }))).not.toBe('');
  });
});

it('is written with the plugins of the working folder', async () => {
  const manifest = {
    kind: 'metric',
    id: 'mine',
    export: 'mine',
    title: 'A metric of mine',
    options: {
      type: 'object',
      additionalProperties: false,
      properties: { strictness: { type: 'number', description: 'how strict' } },
    },
  };
  writeFileSync(join(folder, 'registry.json'), JSON.stringify({ plugins: { 'metric/mine': '.' } }));
  writeFileSync(join(folder, 'plugin.json'), JSON.stringify(manifest));
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'mine', version: '1.0.0', type: 'module', exports: './index.js' }),
  );
  writeFileSync(join(folder, 'index.js'), 'export const mine = () => ({ better: "lower", compare: () => [0] });');
  const { code, out } = await tweedie(['schema', '--out', 'recipe.schema.json'], { cwd: folder });
  expect([code, out.trim()]).toEqual([0, 'recipe.schema.json']);
  const { definitions } = JSON.parse(readFileSync(join(folder, 'recipe.schema.json'), 'utf8')) as {
    definitions: object;
  };
  expect(JSON.stringify((definitions as { metrics: object }).metrics)).toMatch(/"mine".*"strictness"/);
});

/** Cards of published checkpoints: each is a model of its own id, made by the plugin in whose folder the card lies. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Card } from './card.ts';
import { ConfigError } from './errors.ts';
import type { Manifest } from './manifest.ts';
import { readJson } from './read-json.ts';
import { validate, type JsonSchema } from './schema.ts';

const schema = readJson(join(import.meta.dirname, '../schemas/card.schema.json')) as JsonSchema;

/** Where the files of a checkpoint lie, in the cache folder. */
export const cardFolder = (id: string): string => `checkpoints/${id}`;
const CACHE = 'cache:';

/** The options of a plugin with other defaults; what has one need not be given. */
function withDefaults(options: JsonSchema, values: Card['options'], where: string): JsonSchema {
  const { properties, required } = options as {
    properties: Readonly<Record<string, JsonSchema>>;
    required?: readonly string[];
  };
  const unknown = Object.keys(values).find((name) => !(name in properties));
  if (unknown !== undefined)
    throw new ConfigError(`${where} /options/${unknown}`, 'is no option of the plugin that reads the card.', '');
  const left = (required ?? []).filter((name) => !(name in values));
  return {
    ...options,
    required: left,
    properties: Object.fromEntries(
      Object.entries(properties).map(([name, property]) => [
        name,
        name in values ? { ...property, default: values[name] } : property,
      ]),
    ),
  };
}

/**
 * The manifests of the checkpoints that a plugin has cards of: its own, with the card's options as defaults. Throws
 * ConfigError where a card is not sound.
 */
export function manifestsOfCards(manifest: Manifest): readonly Manifest[] {
  const { cards, ...own } = manifest;
  if (cards === undefined) return [];
  const folder = join(manifest.folder, cards);
  if (!existsSync(folder))
    throw new ConfigError(join(manifest.folder, 'plugin.json'), `its folder of cards, ${folder}, is absent.`, '');
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return names.sort().map((name) => {
    const path = join(folder, name);
    const { $schema: _, ...card } = validate<Card & { $schema?: string }>(schema, readJson(path), path);
    if (`${card.id}.json` !== name)
      throw new ConfigError(`${path} /id`, `is ${card.id}.`, `Call the file ${card.id}.json.`);
    const options = withDefaults(own.options, card.options, path);
    return { ...own, id: card.id, title: card.title, source: card.source, options, card };
  });
}

/** The command that brings the files of a checkpoint, in words, and what its licence forbids. */
export function howToGet({ id, page, files, commercial, licence }: Card): string {
  const byHand = files.filter(({ url }) => url === undefined).map(({ name }) => name);
  const fetched =
    byHand.length === 0
      ? `It is published at ${page}; npx tweedie checkpoint get ${id} fetches it.`
      : `It is published at ${page}: download ${byHand.join(', ')} there with a browser, then say npx tweedie checkpoint get ${id} --from <file>.`;
  return commercial === 'forbidden' ? `${fetched} Its licence forbids commercial use: ${licence}.` : fetched;
}

/** Throws ConfigError where a model of a card would read files of the cache that are not there. */
export async function refuseMissing(
  { kind, id, card }: Manifest,
  options: Readonly<Record<string, unknown>>,
  files: { cached(name: string): string; size(path: string): Promise<number> },
): Promise<void> {
  if (card === undefined) return;
  const own = `${CACHE}${cardFolder(card.id)}`;
  if (!Object.values(options).some((value) => typeof value === 'string' && value.startsWith(own))) return;
  const absent: string[] = [];
  for (const { name } of card.files) {
    const path = files.cached(`${cardFolder(card.id)}/${name}`);
    if ((await files.size(path).catch(() => undefined)) === undefined) absent.push(name);
  }
  if (absent.length > 0)
    throw new ConfigError(
      `${kind}/${id}`,
      `${absent.join(', ')} ${absent.length > 1 ? 'are' : 'is'} not in ${files.cached(cardFolder(card.id))}, for weights do not ship.`,
      howToGet(card),
    );
}

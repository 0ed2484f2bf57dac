import { join } from 'node:path';
import { type Card, cardFolder, ConfigError, type Registry, suggest } from '@tweedie/core/registry';
import { columns } from '../text.ts';

/** The card that a user names. Throws ConfigError with the nearest ids, or what is wrong with the cards. */
export function cardOf(id: string, { cards, broken }: Registry): Card {
  const found = cards.find((manifest) => manifest.id === id)?.card;
  if (found) return found;
  for (const [name, error] of broken) if (name.endsWith(' cards')) throw error;
  const ids = cards.map((manifest) => manifest.id);
  throw new ConfigError('checkpoint', `there is no card ${JSON.stringify(id)}.`, suggest(id, ids));
}

const bytesOf = ({ files }: Card): number | undefined =>
  files.reduce<number | undefined>(
    (sum, { bytes }) => (sum === undefined || bytes === undefined ? undefined : sum + bytes),
    0,
  );

/** All cards, whether their files are there, and what their licences say. */
export async function listCards({ cards }: Registry): Promise<{ readonly table: string; readonly json: unknown }> {
  const { cacheFolder } = await import('@tweedie/files');
  const { existsSync } = await import('node:fs');
  const rows = cards.flatMap(({ id, kind, card, package: read }) => {
    if (card === undefined) return [];
    const folder = join(cacheFolder(), cardFolder(id));
    const isThere = card.files.every(({ name }) => existsSync(join(folder, name)));
    return [{ id, kind, readBy: read, isThere, folder, bytes: bytesOf(card), card }];
  });
  const commercial = { allowed: '', forbidden: 'no commercial use', unknown: 'licence not stated' } as const;
  const table = columns(
    rows.map(({ id, isThere, card }) => [
      id,
      card.title,
      isThere ? 'here' : card.files.some(({ url }) => url === undefined) ? 'by hand' : '',
      commercial[card.commercial],
    ]),
  );
  const json = rows.map(({ isThere, bytes, folder, readBy, card }) => ({
    ...card,
    readBy,
    folder,
    isThere,
    bytes: bytes ?? null,
  }));
  return { table, json };
}

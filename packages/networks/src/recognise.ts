/** Which published checkpoint a file is, by its hash or by what its tensors tell. */
import type { Card } from '@tweedie/core';
import type { Inspection } from './inspect.ts';

/** What of an ADM configuration the tensors of a file tell, as a card says it. */
const told = ['num_channels', 'num_res_blocks', 'learn_sigma', 'use_scale_shift_norm', 'resblock_updown'];

const listOf = (list: unknown): string => String(list).split(',').map(Number).join(',');

/** What a card says that an inspection would find; undefined where it says nothing of the tensors. */
function expected({ options, tells }: Card): Readonly<Record<string, unknown>> | undefined {
  if (tells !== undefined) return tells;
  if (!('num_channels' in options)) return undefined;
  const pixels = String(options['attention_resolutions']).split(',').map(Number);
  return {
    family: 'adm',
    ...Object.fromEntries(told.map((name) => [name, options[name]])),
    channel_mult: listOf(options['channel_mult']),
    classes: options['class_cond'] === true ? options['num_classes'] : 0,
    attention: pixels.map((side) => Number(options['image_size']) / side).join(','),
  };
}

const nameOf = (path: string): string => path.split(/[\\/]/).findLast((part) => part !== '') ?? path;

/**
 * The cards of the checkpoints that a file or folder may be: the one whose SHA-256 it has, or that it says it was
 * converted from; else those whose network it is, of which its name chooses where it is that of one. Several networks
 * differ in their numbers alone.
 */
export function recognised({ sha256, facts }: Inspection, path: string, cards: readonly Card[]): readonly Card[] {
  const same = cards.filter(({ files }) => sha256 !== undefined && files.some((file) => file.sha256 === sha256));
  if (same.length > 0) return same;
  const named = cards.filter(({ id }) => id === facts['card']);
  if (named.length > 0) return named;
  const alike = cards.filter((card) => {
    const wanted = expected(card);
    return wanted !== undefined && Object.entries(wanted).every(([name, value]) => facts[name] === value);
  });
  const called = alike.filter(({ id, files }) => [id, ...files.map(({ name }) => name)].includes(nameOf(path)));
  return called.length > 0 ? called : alike;
}

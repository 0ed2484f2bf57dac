/** Whether run folders are of one run: the same recipe, code and cells, on whatever machines. */
import { ConfigError } from '@tweedie/core';
import { quote } from '../plan/command.ts';
import type { Fact } from './provenance.ts';
import type { RunIndex } from './run-index.ts';

export type FolderIndex = { readonly folder: string; readonly index: RunIndex };

const isMachine = (name: string): boolean => /^machine( \d+)?$/.test(name);
/** A fact without what may differ from machine to machine and changes no cell. */
const comparable = ({ name, value }: Fact): string =>
  name === 'Tweedie'
    ? value.replace(/, commit .*/, '')
    : name === 'engine'
      ? value.replace(/, threads \d+/, '')
      : value;

/** The first fact by which two runs differ, in words. */
const difference = (one: FolderIndex, other: FolderIndex): string | undefined => {
  const known = new Map(other.index.provenance.map((fact) => [fact.name, fact]));
  for (const fact of one.index.provenance) {
    if (isMachine(fact.name) || /^note( \d+)?$/.test(fact.name)) continue;
    const there = known.get(fact.name);
    if (there && comparable(fact) === comparable(there)) continue;
    return fact.name === 'recipe'
      ? 'they are runs of different recipes'
      : `${fact.name} is ${comparable(fact)} in ${one.folder}, and ${there ? comparable(there) : 'not there'} in ${other.folder}`;
  }
  return undefined;
};

/** What names the cells of a run and its table. */
const cellsOf = ({ images, samples, metrics, rows, imageShape, traced }: RunIndex): string =>
  JSON.stringify([images, samples, metrics, imageShape, traced, rows]);

/** Throws ConfigError, with what differs, where folders are not of one run. */
export const checkSameRun = (folders: readonly FolderIndex[]): void => {
  const [first, ...others] = folders;
  if (first === undefined) return;
  for (const other of others) {
    const differs = difference(first, other);
    if (differs !== undefined)
      throw new ConfigError(
        other.folder,
        `cannot be merged with ${first.folder}: ${differs}.`,
        'Merge shards of one recipe, drawn by the same versions of Tweedie and of the plugins.',
      );
    if (cellsOf(first.index) !== cellsOf(other.index))
      throw new ConfigError(
        other.folder,
        `cannot be merged with ${first.folder}: their rows, images or samples are not the same.`,
        'Run every shard with the same flags (--limit, --samples, --steps, --seed) on the same images.',
      );
  }
};

/** The machines of runs, each once. */
export const machinesOf = (folders: readonly FolderIndex[]): readonly string[] => [
  ...new Set(
    folders.flatMap(({ index }) => index.provenance.filter(({ name }) => isMachine(name)).map(({ value }) => value)),
  ),
];

/** The kind of CPU of a machine, as its fact begins. */
export const cpuOf = (machine: string): string => machine.replace(/, \d+ threads,.*/, '');

/** The index of what was merged, and the command that goes on with it. */
export const mergedIndex = ({ index }: FolderIndex, machines: readonly string[], folder: string): RunIndex => ({
  ...index,
  command: `${index.command.replace(/ --out ('[^']*'|\S+)/, '')} --out ${quote(folder)}`,
  provenance: index.provenance.flatMap((fact) =>
    fact.name === 'machine'
      ? machines.map((value, i) => ({ name: i === 0 ? 'machine' : `machine ${i + 1}`, value }))
      : isMachine(fact.name)
        ? []
        : [fact],
  ),
});

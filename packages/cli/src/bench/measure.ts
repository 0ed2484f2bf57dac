import { cpus } from 'node:os';

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? NaN) + (sorted[sorted.length >> 1] ?? NaN)) / 2;
};

export type Machine = { readonly cpu: string; readonly cores: number; readonly node: string };
export const thisMachine = (): Machine => ({ cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version });
export const showMachine = ({ cpu, cores, node }: Machine): string => `${cpu}, ${cores} cores, Node ${node}`;

import { cpus } from 'node:os';

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? NaN) + (sorted[sorted.length >> 1] ?? NaN)) / 2;
};

export type Contender = { readonly name: string; run(): Promise<void> | void };
/** Seconds of one call: `first`, which may compile, is in neither `median` nor `best`. */
export type Seconds = { readonly median: number; readonly best: number; readonly first: number };

/** The time of one call, by the wall clock and as the process had it on all cores. */
export type Turn = { readonly seconds: number; readonly cpuSeconds: number };

/**
 * Times the contenders in turn, so that a machine that changes its speed changes it for all. One that stands in the
 * list several times has as many turns in each round. Gives all turns of each contender; those of the first round,
 * which may compile, come first.
 */
export async function turnsOf(
  contenders: readonly Contender[],
  repeats: number,
): Promise<ReadonlyMap<string, readonly Turn[]>> {
  const turns = new Map<string, Turn[]>();
  for (let round = 0; round <= repeats; round++) {
    for (const { name, run } of contenders) {
      const [started, before] = [performance.now(), process.cpuUsage()];
      await run();
      const { user, system } = process.cpuUsage(before);
      turns.set(name, [
        ...(turns.get(name) ?? []),
        { seconds: (performance.now() - started) / 1000, cpuSeconds: (user + system) / 1e6 },
      ]);
    }
  }
  return turns;
}

/** Times the contenders as `turnsOf` does and gives seconds by the wall clock. */
export async function takeTurns(
  contenders: readonly Contender[],
  repeats: number,
): Promise<ReadonlyMap<string, Seconds>> {
  const turns = await turnsOf(contenders, repeats);
  return new Map(
    [...turns].map(([name, all]) => {
      const [first = NaN, ...rest] = all.map(({ seconds }) => seconds);
      return [name, { median: median(rest), best: Math.min(...rest), first }];
    }),
  );
}

export type Machine = { readonly cpu: string; readonly cores: number; readonly node: string };
export const thisMachine = (): Machine => ({
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  node: process.version,
});
export const showMachine = ({ cpu, cores, node }: Machine): string => `${cpu}, ${cores} cores, Node ${node}`;

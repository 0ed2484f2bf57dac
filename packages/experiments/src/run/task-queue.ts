import type { ChunkTask } from './chunk.ts';

/** Chunks that are bound once: of rows that share method and operator, and of images of one shape. */
export type SettingTasks = {
  /** Method and operator without options: settings of one family may take over what another compiled. */
  readonly family: string;
  readonly tasks: readonly ChunkTask[];
};

/** One who draws takes tasks by this. */
export type Taker = { setting?: number };

/**
 * Tasks for several who draw, so that each compiles as little as can be: it stays with its setting, goes on to one of
 * the same family, then to one that nobody is at, and last helps with the one that has most left.
 */
export const taskQueue = (settings: readonly SettingTasks[]) => {
  const left = settings.map(({ tasks }) => [...tasks]);
  const placeOf = new Map(settings.flatMap(({ tasks }, i) => tasks.map((task) => [task.key, i] as const)));
  const takers = new Map<Taker, number>();
  const sizeOf = (i: number): number => left[i]?.length ?? 0;
  const choose = ({ setting }: Taker): number | undefined => {
    if (setting !== undefined && sizeOf(setting) > 0) return setting;
    const open = settings.map((_, i) => i).filter((i) => sizeOf(i) > 0);
    const busy = [...takers.values()];
    const families = new Set(busy.map((i) => settings[i]?.family));
    const free = open.filter((i) => !busy.includes(i));
    const own = setting === undefined ? undefined : settings[setting]?.family;
    return (
      free.find((i) => settings[i]?.family === own) ??
      free.find((i) => !families.has(settings[i]?.family)) ??
      free[0] ??
      open.reduce<number | undefined>(
        (most, i) => (most === undefined || sizeOf(i) > sizeOf(most) ? i : most),
        undefined,
      )
    );
  };
  return {
    /** The next task; undefined where none is left. */
    take(taker: Taker): ChunkTask | undefined {
      takers.delete(taker);
      const place = choose(taker);
      if (place === undefined) return undefined;
      taker.setting = place;
      takers.set(taker, place);
      return left[place]?.shift();
    },
    /** Says that one takes no more. */
    leave: (taker: Taker): void => void takers.delete(taker),
    /** Puts a task back, the first of its setting. */
    putBack(task: ChunkTask): void {
      left[placeOf.get(task.key) ?? 0]?.unshift(task);
    },
  };
};

/** What benches of the queue are made of: a plan that nobody can draw, and its tasks. */
import { randomUUID } from 'node:crypto';
import { identify, type ChunkPlan, type ChunkTask } from '@tweedie/experiments';

/** The problem of every task. */
export const PROBLEM = 'none';

export const emptyPlan = (folder: string): ChunkPlan => ({
  title: 'bench',
  setup: {
    origin: { folder, pluginFiles: [] },
    folder,
    model: { id: 'none', options: {} },
    shapes: [],
    operators: [],
    rows: [],
    metrics: [],
    index: { images: [''], samples: 1, traced: 0, metrics: [], rows: [{ problems: [PROBLEM], cells: [['']] }] },
    seed: 0,
    trace: 0,
    code: {},
  },
  facts: {},
  threads: [1],
  bytes: [1],
});

/** So many tasks, none of which was ever asked for before. */
export const emptyTasks = (count: number): readonly ChunkTask[] => {
  const salt = randomUUID();
  return Array.from({ length: count }, (_, i) => ({ key: identify([salt, i]), row: 0, shape: 0, cells: '0' }));
};

/** Who draws what: threads and processes of a run, and the order in which several take its chunks. */
import { describe, expect, it } from 'vitest';
import { ConfigError } from '@tweedie/core';
import { plan, type ExperimentInput } from '../src/index.ts';
import { threadsFor } from '../src/plan/threads.ts';
import type { ChunkTask } from '../src/run/chunk.ts';
import { taskQueue, type Taker } from '../src/run/task-queue.ts';
import { errorOf, tellError } from '../src/run/told-error.ts';

const threaded = { options: { properties: { threads: {}, device: {} } } };
const engine = (options: object) => ({ id: 'onnxruntime', options: { device: 'cpu', ...options } });

describe('threads of a cell', () => {
  it('follow from the size of its images', () => {
    expect(threadsFor(threaded, engine({}), [64, 64, 3])).toBe(1);
    expect(threadsFor(threaded, engine({}), [128, 128, 1])).toBe(1);
    expect(threadsFor(threaded, engine({}), [128, 128, 3])).toBe(8);
  });

  it('are those of the recipe where it gives them', () => {
    expect(threadsFor(threaded, engine({ threads: 3 }), [128, 128, 3])).toBe(3);
  });

  it('are not said where the engine has no say', () => {
    expect(threadsFor(threaded, engine({ device: 'cuda' }), [64, 64, 3])).toBeUndefined();
    expect(threadsFor({ options: { properties: {} } }, { id: 'eager', options: {} }, [64, 64, 3])).toBeUndefined();
  });
});

describe('the plan', () => {
  const tiny: ExperimentInput = {
    model: { id: 'gmm', options: { shape: [1, 2, 1], means: [[-1, 0]], variances: [0.1] } },
    images: { from: 'prior', count: 2 },
    operators: ['identity'],
    sigmaY: 0.2,
    methods: ['none'],
    scheduler: { id: 'ddpm', options: { steps: 5 } },
  };

  it('draws a small run of a closed form in this process, and says why', async () => {
    const { json, table } = await plan({ recipe: tiny });
    expect(json.workers).toEqual({ count: 0, why: 'a process of its own takes longer to start than the run' });
    expect(table).toContain('Drawn in this process (a process of its own takes longer to start than the run)');
  });

  it('draws a large one in child processes', async () => {
    const { json, table } = await plan({
      recipe: { ...tiny, images: { from: 'prior', count: 50_000 }, samples: 50, engine: 'eager' },
    });
    expect(json.workers).toEqual({ count: 1, why: 'the engine has its own threads, or another device' });
    expect(table).toContain('Drawn in a child process (the engine has its own threads, or another device);');
  });
});

describe('the queue of tasks', () => {
  const task = (key: string): ChunkTask => ({ key, row: 0, shape: 0, cells: '0' });
  const settings = [
    { family: 'dps', tasks: ['a1', 'a2'].map(task) },
    { family: 'dps', tasks: ['b1'].map(task) },
    { family: 'exact', tasks: ['c1', 'c2', 'c3'].map(task) },
  ];

  it('lets each stay with what it has compiled, then go on to the like of it, then help', () => {
    const queue = taskQueue(settings);
    const [one, other]: [Taker, Taker] = [{}, {}];
    const take = (taker: Taker): string | undefined => queue.take(taker)?.key;
    expect([take(one), take(other)]).toEqual(['a1', 'c1']);
    expect([take(one), take(one), take(one)]).toEqual(['a2', 'b1', 'c2']);
    expect([take(other), take(other), take(one)]).toEqual(['c3', undefined, undefined]);
  });

  it('gives a task that was put back once more', () => {
    const queue = taskQueue(settings);
    const taker: Taker = {};
    const first = queue.take(taker)!;
    queue.leave(taker);
    queue.putBack(first);
    const keys = [];
    for (let next = queue.take({}); next !== undefined; next = queue.take({})) keys.push(next.key);
    expect(keys.sort()).toEqual(['a1', 'a2', 'b1', 'c1', 'c2', 'c3']);
  });
});

it('an error crosses a process as what it was', () => {
  const cause = new TypeError('no shape');
  const error = new ConfigError('model/mine', 'is wrong.', 'Mend it.', { cause });
  const there = errorOf(structuredClone(tellError(error)));
  expect(there).toBeInstanceOf(ConfigError);
  expect(there.message).toBe('[model/mine] is wrong. Mend it.');
  expect(there.stack).toBe(error.stack);
  expect(there.cause).toMatchObject({ name: 'TypeError', message: 'no shape', stack: cause.stack });
});

/** Workers that draw nothing, many in one process, for `bench-workers.ts`, which starts it. */
import { work } from './work.ts';
import type { Crowd } from './bench-workers.ts';
import type { Studio } from './painters.ts';
import type { ResultStore } from './stores/result-store.ts';

process.on('disconnect', () => process.exit());
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

/** Has the plan, and every result that it is asked for: all is there already, so that no worker draws or stores. */
const storeOf = (plan: string): ResultStore => ({
  place: 'bench',
  has: () => Promise.resolve(true),
  put: () => Promise.resolve(),
  get: () => Promise.resolve(new TextEncoder().encode(plan)),
  list: () => Promise.resolve([]),
});

const studioOf = (facts: Readonly<Record<string, string>>): Studio => ({
  paintersFor: () => ({
    draw: () => Promise.reject(new Error('a bench has nothing to draw.')),
    facts: () => Promise.resolve(facts),
    kill: () => undefined,
  }),
  kill: () => undefined,
});
process.once('message', ({ queue, run, plan, workers }: Crowd) => {
  const text = JSON.stringify(plan);
  let left = workers;
  const onMessage = (message: string): void => {
    if (message.includes(': at work on ') && --left === 0) process.send?.('ready');
  };
  const { Tweedie: _, ...facts } = plan.facts;
  const means = { studio: studioOf(facts), openStore: () => Promise.resolve(storeOf(text)), only: run };
  for (let i = 0; i < workers; i++)
    work({ queue, workers: 1, onMessage }, means).catch((error: unknown) => {
      console.error(error);
      process.exit(1);
    });
});
process.send?.('loaded');

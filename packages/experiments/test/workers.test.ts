/** Cells drawn in child processes: the same bits, whatever happens to a process. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CancelledError } from '@tweedie/core';
import { compare, openStore, tune, type Cell, type Comparison, type ExperimentInput } from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-workers-'));
let runs = 0;
const newRun = (): string => join(folder, `run-${runs++}`);

/** A method without guidance whose steps do what `deed` says, before step 4 of 10. */
const writeMethod = (name: string, deed: string): string => {
  writeFileSync(
    join(folder, `${name}.mjs`),
    `import { existsSync, writeFileSync } from 'node:fs';
const deed = () => { ${deed} };
export const plugin = {
  manifest: {
    kind: 'guidance', id: '${name}', title: 'A test of child processes',
    options: { type: 'object', additionalProperties: false, properties: {} },
  },
  factory: () => ({
    bind({ engine, model, scheduler }) {
      const move = engine.compile((xt, step, noise) => {
        const prediction = model.predict(xt, step.level);
        const { mean, std } = scheduler.transition(xt, prediction, step);
        return { state: mean.add(noise.mul(std)), x0hat: prediction.x0hat };
      });
      return {
        step: async (xt, step, _, random) => {
          if (step.index === 6) deed();
          return move(xt, step, random.normal('step', xt.shape));
        },
        dispose: () => move.dispose(),
      };
    },
  }),
};
`,
  );
  return `./${name}.mjs`;
};

const recipe: ExperimentInput = {
  title: 'Two wells',
  folder,
  model: {
    id: 'gmm',
    options: {
      shape: [1, 2, 1],
      means: [
        [-1, 0],
        [1, 0],
      ],
      variances: [0.1, 0.2],
    },
  },
  images: { from: 'prior', count: 5 },
  operators: ['identity', { id: 'inpaint', options: { rate: 0.5 } }],
  sigmaY: 0.2,
  methods: ['none', 'exact', 'dps'],
  scheduler: { id: 'ddpm', options: { steps: 10 } },
  engine: 'eager',
  samples: 2,
  chunk: 4,
  trace: 3,
};
const cellsOf = async (run: string): Promise<readonly Cell[]> => {
  const store = await openStore(run);
  try {
    return [...(await store.cells()).values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  } finally {
    store.close();
  }
};
const bitsOf = async (run: string) => (await cellsOf(run)).map(({ key, sampleHash }) => [key, sampleHash]);
/** The table without what a clock decides. */
const tableOf = ({ json: { rows, misfit, distances, failures, cost } }: Comparison) => ({
  rows,
  misfit,
  distances,
  failures,
  cost: cost.map(({ secondsPerSample: _, ...calls }) => calls),
});

describe('cells in child processes', () => {
  it('have the bits and the table of cells in this process', async () => {
    const [here, there] = [newRun(), newRun()];
    const whole = await compare({ recipe, out: here, workers: 0 });
    const apart = await compare({ recipe, out: there, workers: 2 });
    expect(await bitsOf(there)).toEqual(await bitsOf(here));
    expect(tableOf(apart)).toEqual(tableOf(whole));
    const index = (run: string): unknown => JSON.parse(readFileSync(join(run, 'run.json'), 'utf8'));
    expect(index(there)).toEqual({
      ...(index(here) as object),
      command: `npx tweedie compare <recipe> --out ${there}`,
    });
  });

  it('are drawn again, with the same bits, where a process is killed', async () => {
    const marker = join(folder, 'killed once');
    const deed = `if (existsSync('${marker}')) return; writeFileSync('${marker}', ''); process.kill(process.pid, 'SIGKILL');`;
    const methods = [writeMethod('killed-once', deed), 'exact'];
    const [killed, whole] = [newRun(), newRun()];
    const first = await compare({ recipe: { ...recipe, methods }, out: killed, workers: 1 });
    expect(readFileSync(marker, 'utf8')).toBe('');
    const second = await compare({ recipe: { ...recipe, methods }, out: whole, workers: 0 });
    expect(await bitsOf(killed)).toEqual(await bitsOf(whole));
    expect(tableOf(first)).toEqual(tableOf(second));
    expect(first.failures).toEqual([]);
  });

  it('fail where it is killed twice, the run goes on, and the next one tries them again', async () => {
    const mended = join(folder, 'mended');
    const deed = `if (!existsSync('${mended}')) process.kill(process.pid, 'SIGKILL');`;
    const methods = [writeMethod('killed-always', deed), 'exact'];
    const out = newRun();
    const small = { ...recipe, methods, operators: ['identity'], images: { from: 'prior', count: 2 } } as const;
    const { failures, json } = await compare({ recipe: small, out, workers: 2 });
    expect(failures).toHaveLength(2 * 2);
    expect(failures[0]?.label).toBe('killed-always');
    expect(failures[0]?.reason).toMatch(/^its process ended twice: the last time by SIGKILL /);
    expect(json.rows.map(({ label }) => label)).toEqual(['exact']);
    expect(json.cost.map(({ label, forwards }) => [label, forwards])).toEqual([['exact', 10]]);
    writeFileSync(mended, '');
    const again = await compare({ recipe: small, out, workers: 2 });
    expect(again.failures).toEqual([]);
    expect(again.json.rows.map(({ label }) => label)).toEqual(['killed-always', 'exact']);
  });

  it('stop within half a second, whatever the step, and what had finished is kept', async () => {
    const slow = `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);`;
    const methods = ['exact', writeMethod('slow', slow)];
    const out = newRun();
    const controller = new AbortController();
    let aborted = NaN;
    const run = compare({
      recipe: { ...recipe, methods, operators: ['identity'] },
      out,
      workers: 1,
      signal: controller.signal,
      onProgress({ phase, label = '' }) {
        if (phase !== 'sampling' || !label.includes('slow') || controller.signal.aborted) return;
        // By then the step that takes a minute has begun.
        setTimeout(() => {
          aborted = performance.now();
          controller.abort();
        }, 1000);
      },
    });
    await expect(run).rejects.toBeInstanceOf(CancelledError);
    expect(performance.now() - aborted).toBeLessThan(500);
    const cells = await cellsOf(out);
    expect(cells.map(({ label }) => label)).toEqual(Array(10).fill('exact'));
  });

  it('say where a plugin is wrong, as in this process', async () => {
    const methods = [writeMethod('wrong', `throw new TypeError('shapes differ');`)];
    const run = compare({ recipe: { ...recipe, methods }, out: newRun(), workers: 1 });
    const error = await run.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'TypeError', message: 'shapes differ' });
    expect((error as Error).stack).toContain('wrong.mjs:2');
  });

  it('are so few as there are chunks, and a wrong number is refused', async () => {
    await expect(compare({ recipe, workers: 1.5 })).rejects.toThrow(
      '[workers] 1.5 is no number of child processes. Give a whole number from 0, which draws in this process, to 1024.',
    );
  });
});

it('tune chooses the same in child processes', async () => {
  const tuned: ExperimentInput = {
    ...recipe,
    methods: ['dps'],
    operators: ['identity'],
    samples: 1,
    tune: { images: { from: 'prior', count: 4, offset: 100 }, budget: 2000 },
  };
  const [here, there] = [newRun(), newRun()];
  const results = [];
  for (const [run, workers] of [
    [here, 0],
    [there, 2],
  ] as const)
    results.push((await tune({ recipe: tuned, run, out: `${run}.yaml`, workers })).results);
  expect(await bitsOf(there)).toEqual(await bitsOf(here));
  expect(results[1]?.map(({ chosen }) => chosen.values)).toEqual(results[0]?.map(({ chosen }) => chosen.values));
});

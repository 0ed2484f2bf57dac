/**
 * Every engine in the registry computes what plain TensorFlow.js computes, and what every other engine computes: per
 * compiled function, per step, and after a whole sampling. An engine whose library the user must install is skipped
 * where it is not.
 */
import { readFileSync } from 'node:fs';
import {
  batchRandom,
  type Engine,
  type Image,
  NotInstalledError,
  stackProblems,
  tf,
  tensorsOf,
  type Tensor,
  type TensorTree,
} from '@tweedie/core';
import { bind, mixturePrior, randomProblems, relativeDifference, sampleRows, testContainer } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';

const { plugins } = JSON.parse(readFileSync(new URL('../registry.json', import.meta.url), 'utf8')) as {
  plugins: Record<string, string>;
};
const idsOf = (kind: string) =>
  Object.keys(plugins).flatMap((name) => (name.startsWith(`${kind}/`) ? [name.slice(kind.length + 1)] : []));
/** All but `external`, whose samples another program has drawn. */
const drawnHere = idsOf('guidance').filter((id) => id !== 'external');
/** Options under which a method that has long runs of its own is quick enough here. */
const quick: Readonly<Record<string, object>> = { daps: { levels: 20, mcmcSteps: 5 } };
/**
 * Methods that follow the direction of a gradient whatever its length: where the noise hides y that direction is
 * rounding, so that samples of two engines part, and only their distributions are compared, as those of independent
 * samples.
 */
const amplifying: readonly string[] = ['dmap', 'dsg'];

const imageShape = [5, 4, 3] as const;
const container = testContainer();
const model = await mixturePrior({ imageShape, components: 12, variances: 0.04 });
const inpaint = await container.plugin(
  'operator',
  { id: 'inpaint', options: { pattern: 'random', rate: 0.5 } },
  { imageShape },
);
const identity = await container.plugin('operator', { id: 'identity' }, { imageShape });
const schedulers = {
  ddpm: await container.plugin('scheduler', { id: 'ddpm', options: { steps: 100 } }),
  ddim: await container.plugin('scheduler', { id: 'ddim', options: { steps: 100, eta: 0.5 } }),
};

/** The same engine, remembering every call it made and what came back. */
function recording(engine: Engine) {
  const calls: number[][][] = [];
  const recorder: Engine = {
    ...engine,
    compile(fn) {
      const compiled = engine.compile(fn);
      const call = async (...args: never[]) => {
        const result = await (compiled as (...args: never[]) => Promise<TensorTree>)(...args);
        calls.push(tensorsOf(result).map((leaf: Tensor) => Array.from(leaf.dataSync())));
        return result;
      };
      return Object.defineProperties(
        call,
        Object.getOwnPropertyDescriptors({
          get cost() {
            return compiled.cost;
          },
          get compilations() {
            return compiled.compilations;
          },
          dispose: () => compiled.dispose(),
        }),
      ) as typeof compiled;
    },
  };
  return { recorder, calls };
}

const engines: { readonly id: string; readonly engine: Engine }[] = [];
for (const id of idsOf('engine').toSorted((a, b) => Number(b === 'eager') - Number(a === 'eager'))) {
  try {
    engines.push({ id, engine: await container.plugin('engine', { id }) });
  } catch (error) {
    if (!(error instanceof NotInstalledError)) throw error;
    it.skip(`engine/${id} agrees with the others. Skipped: ${error.message}`, () => undefined);
  }
}
const pairs = engines.flatMap((other, position) =>
  engines.slice(position + 1).map((one) => [one.id, other.id, one.engine, other.engine] as const),
);

describe.each(pairs)('engine/%s agrees with engine/%s', (_id, _otherId, engine, other) => {
  describe.each(drawnHere)('guidance/%s', async (id) => {
    const guidance = await container.plugin('guidance', { id, options: { ...quick[id] } });
    const operator = [inpaint, identity].find(
      (candidate) => guidance.refuses?.({ model, operator: candidate, scheduler: schedulers.ddpm }, 0.1) === undefined,
    )!;
    const problems = randomProblems(operator, imageShape, 6, 0.1);

    it.each(Object.entries(schedulers))('per step and compiled function, scheduler %s', async (_name, scheduler) => {
      const results = [];
      for (const candidate of [other, engine]) {
        const { recorder, calls } = recording(candidate);
        const {
          bound: { sampler, steps },
        } = await bind(guidance, { engine: recorder, model, operator, scheduler });
        const measured = stackProblems(problems);
        const random = batchRandom(problems.map(({ hash }) => ({ seed: 1, problem: hash, sample: 0 })));
        for (const position of new Set(
          [0, 0.3, 0.6, 0.9, 0.98, 0.99].map((share) => Math.floor(share * steps.length)),
        )) {
          const step = steps[position]!;
          // A state at the right noise level, the same for both engines.
          const xt = random(position)
            .normal('state', [problems.length, ...imageShape])
            .mul(step.level.signal * 0.5 + step.level.noise) as Image;
          const begun = await sampler.start?.(measured, step, random(1000));
          const state = begun === undefined || begun instanceof tf.Tensor ? xt : { ...(begun as object), xt };
          await sampler.step(state, step, measured, random(step.index));
        }
        results.push(calls);
      }
      const [expected, got] = results as [number[][][], number[][][]];
      expect(got.length).toBe(expected.length);
      got.forEach((call, index) =>
        call.forEach((leaf, position) =>
          expect(
            relativeDifference(leaf, expected[index]![position]!),
            `call ${index}, result ${position}`,
          ).toBeLessThan(1e-5),
        ),
      );
    });

    it('after a whole run: the median sample to 1e-4, mean and variance within their Monte Carlo error', async () => {
      const rows = [];
      for (const candidate of [other, engine]) {
        const run = await bind(guidance, { engine: candidate, model, operator, scheduler: schedulers.ddpm });
        const sampled = await sampleRows(
          run,
          Array.from({ length: 60 }, () => problems[0]!),
          Array.from({ length: 60 }, (_, sample) => sample),
        );
        rows.push(sampled.rows);
      }
      const [expected, got] = rows as [Float32Array[], Float32Array[]];
      const differences = got.map((row, sample) => relativeDifference(row, expected[sample]!)).sort((a, b) => a - b);
      if (!amplifying.includes(id)) expect(differences[30]!).toBeLessThan(1e-4);
      const errors = amplifying.includes(id) ? 4 * Math.SQRT2 : 1.96;

      const moments = (samples: Float32Array[], entry: number) => {
        const values = samples.map((row) => row[entry]!);
        const mean = values.reduce((a, b) => a + b, 0) / values.length;
        return { mean, variance: values.reduce((a, b) => a + (b - mean) ** 2, 0) / (values.length - 1) };
      };
      for (let entry = 0; entry < got[0]!.length; entry++) {
        const [a, b] = [moments(got, entry), moments(expected, entry)];
        expect(Math.abs(a.mean - b.mean)).toBeLessThan(errors * Math.sqrt(b.variance / 60) + 1e-5);
        expect(Math.abs(a.variance - b.variance)).toBeLessThan(
          errors * Math.max(a.variance, b.variance) * Math.sqrt(2 / 59) + 1e-5,
        );
      }
    });
  });
});

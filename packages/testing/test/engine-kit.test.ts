/** Engines with one fault each, and what the kit says. */
import {
  type Compiled,
  createContainer,
  eagerEngine,
  type Engine,
  openRegistry,
  ownBackend,
  type Tensor,
  type TensorTree,
  tf,
} from '@tweedie/core';
import { createFiles } from '@tweedie/files';
import { describe, expect, it } from 'vitest';
import { engineChecks, type EngineSubject, failuresOf } from '../src/index.ts';

const container = createContainer({ registry: openRegistry({ quiet: true }), files: createFiles('.') });
const subject = (engine: Engine): EngineSubject => ({
  id: 'eager',
  tolerance: 1e-5,
  engine,
  plain: eagerEngine(),
  method: async () => ({
    guidance: await container.plugin('guidance', { id: 'dps' }),
    operator: await container.plugin('operator', { id: 'inpaint' }, { imageShape: [4, 4, 3] }),
    scheduler: await container.plugin('scheduler', { id: 'ddpm', options: { steps: 10 } }),
  }),
});
const failing = (engine: Engine) => failuresOf(engineChecks, subject(engine));

type Call = (...args: readonly TensorTree[]) => Promise<TensorTree>;
/** The eager engine, whose calls are changed. */
const changed = (
  change: (call: Call, fn: (...args: readonly TensorTree[]) => TensorTree) => Call,
  facts: Partial<Compiled<[], number>> = {},
): Engine => {
  const { compile, ...plain } = eagerEngine();
  return {
    ...plain,
    compile: (fn) => {
      const compiled = compile(fn);
      const call = change(compiled as unknown as Call, fn as never);
      const members = Object.getOwnPropertyDescriptors(compiled);
      const { cost, compilations, dispose } = { ...members, ...Object.getOwnPropertyDescriptors(facts) };
      return Object.defineProperties(call, { cost: cost!, compilations: compilations!, dispose: dispose! }) as never;
    },
  };
};
/** The eager engine with one kernel of its own. */
const withKernel = (kernel: string, change: (x: number, index: number) => number): Engine =>
  eagerEngine({
    id: 'eager',
    facts: { device: 'cpu' },
    backend: ownBackend(`fault in ${kernel}`, {
      [kernel]: ({ inputs: { x }, backend }) => {
        const { readSync, write } = backend as tf.KernelBackend;
        const values = Float32Array.from(readSync.call(backend, x!.dataId) as Float32Array, change);
        return { ...x!, dataId: write.call(backend, values, x!.shape, x!.dtype) };
      },
    }),
  });

describe('describeEngine', () => {
  it('passes plain TensorFlow.js, on its own backend and on one with a right kernel', async () => {
    expect(await failing(eagerEngine())).toEqual([]);
    expect(await failing(withKernel('Tanh', Math.tanh))).toEqual([]);
  });

  it.each<[fault: string, engine: () => Engine, fails: readonly RegExp[], says: RegExp]>([
    [
      'a wrong kernel',
      () => withKernel('Sigmoid', (x) => 0.99 / (1 + Math.exp(-x))),
      [/^functions of one number/],
      /^functions of one number: result 8, float32 \[2, 6, 4, 3\], differs by 0\.01 \(relative\) from plain TensorFlow\.js/,
    ],
    [
      'a kernel that looks at other rows',
      () => {
        let calls = 0;
        return withKernel('Tanh', (x, index) => Math.tanh(x) * (index === 0 ? 1 + (++calls % 3) * 1e-6 : 1));
      },
      [/^the same call gives the same bits/],
      /^the same call gives other bits the second time/,
    ],
    [
      'another name',
      () => ({ ...eagerEngine(), id: 'mine', facts: {} }),
      [/^it says what it is/],
      /^its id is "mine", and "eager" in plugin\.json/,
    ],
    [
      'numbers of the first call',
      () =>
        changed((call) => {
          let kept: readonly TensorTree[] | undefined;
          return (x, ...rest) => call(x!, ...(typeof rest[0] === 'number' ? (kept ??= rest) : rest));
        }),
      [/^numbers are arguments/],
      /a number was kept from an earlier call/,
    ],
    [
      'a count that forgets gradients',
      () =>
        changed(
          (call) =>
            (...args) =>
              call(...args),
          { cost: { forwards: 6, vjps: 0, operatorCalls: 0 } },
        ),
      [/^calls of the network/, /^a guided sampling/],
      /^two gradients of three rows through the network are counted as .*"vjps":0/,
    ],
    [
      'a result that is an argument',
      () =>
        changed(
          (call, fn) =>
            async (...args) =>
              String(fn).includes('same: x') ? fn(...args) : call(...args),
        ),
      [/^results keep the structure/],
      /^disposing of one result took an argument|came back as/,
    ],
    [
      'a tensor left at each call',
      () =>
        changed(
          (call) =>
            (...args) => (tf.zeros([1]), call(...args)),
        ),
      [/^it leaves no tensors behind/],
      /leave \d+ tensors behind/,
    ],
    [
      'an error that is swallowed',
      () =>
        changed((call) => async (...args) => {
          try {
            return await call(...args);
          } catch {
            return tf.zeros([1]);
          }
        }),
      [/^it refuses chance/, /^an error in a function/, /^it leaves no tensors/],
      /^a function that asks Math\.random runs/,
    ],
    [
      'chance that is let through',
      () =>
        changed(
          (call, fn) =>
            (...args) =>
              String(fn).includes('Math.random()') ? Promise.resolve((args[0] as Tensor).clone()) : call(...args),
        ),
      [/^it refuses chance/],
      /^a function that asks Math\.random runs: run it within `withoutHiddenInputs`/,
    ],
    [
      'calls that share their arguments',
      () =>
        changed((call) => {
          let given: readonly TensorTree[] = [];
          return async (...args) => {
            given = args;
            await Promise.resolve();
            return call(...given);
          };
        }),
      [/^calls that overlap do not meet/],
      /^two calls at a time give other numbers than one after the other/,
    ],
  ])('catches %s', async (_fault, engine, fails, says) => {
    const found = await failing(engine());
    for (const fail of fails) expect(found.map(({ name }) => name)).toContainEqual(expect.stringMatching(fail));
    expect(found.length).toBeLessThanOrEqual(fails.length);
    if (fails.length > 0) expect(found[0]?.message).toMatch(says);
  });
});

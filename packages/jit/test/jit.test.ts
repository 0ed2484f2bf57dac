import { type Scalar, type Tensor, tf, valueAndGrad } from '@tweedie/core';
import { afterEach, describe, expect, it } from 'vitest';
import { jit } from '../src/index.ts';

const mark = (x: Tensor, kind: string): Tensor => tf.engine().runKernel('TweedieMark', { x }, { kind }) as Tensor;
const numbers = (x: Tensor): number[] => Array.from(x.dataSync());

afterEach(() => {
  expect(tf.getBackend()).toBe('cpu');
  tf.disposeVariables();
});

describe('jit', () => {
  it('takes and gives trees, numbers among the arguments being scalars that may change', async () => {
    const f = jit((x: Tensor, step: { a: Scalar; inner: readonly [Scalar, Tensor] }) => ({
      sum: x.mul(step.a).add(step.inner[0]),
      parts: [step.inner[1], x] as const,
    }));
    const x = tf.tensor1d([1, 2]);
    const first = await f(x, { a: 3, inner: [0.5, tf.tensor1d([7])] });
    const second = await f(x, { a: 4, inner: [0.25, tf.tensor1d([8])] });
    expect(numbers(first.sum)).toEqual([3.5, 6.5]);
    expect(numbers(second.sum)).toEqual([4.25, 8.25]);
    expect(numbers(second.parts[0])).toEqual([8]);
    expect(f.compilations).toBe(1);
    await f(tf.tensor1d([1, 2, 3]), { a: 3, inner: [0.5, tf.tensor1d([7])] });
    expect(f.compilations).toBe(2);
  });

  it('can be made ready before its first call', async () => {
    const weights = tf.ones([2, 2]);
    const f = jit((x: Tensor) => x.matMul(weights.transpose()).exp());
    const x = tf.tensor2d([[0, 0]]);
    // The product and the exponential: what is made of constants alone is computed before.
    expect(await f.prepare(x)).toEqual({ operations: 2 });
    expect(numbers(await f(x))).toEqual([1, 1]);
    expect(f.compilations).toBe(1);
    f.dispose();
    await expect(f.prepare(x)).rejects.toThrow('disposed');
  });

  it('does not mix up objects whose keys come in another order', async () => {
    const f = jit(({ a, b }: { a: Tensor; b: Tensor }) => a.sub(b));
    const [one, two] = [tf.scalar(1), tf.scalar(2)];
    expect(numbers(await f({ a: one, b: two }))).toEqual([-1]);
    expect(numbers(await f({ b: two, a: one }))).toEqual([-1]);
  });

  it('gives tensors of the cpu backend that the caller owns', async () => {
    const f = jit((x: Tensor) => [x, x, x.mul(2)] as const);
    const x = tf.tensor1d([1, 2]);
    const [same, again, twice] = await f(x);
    x.dispose();
    same.dispose();
    expect(numbers(again)).toEqual([1, 2]);
    expect(numbers(tf.add(again, twice))).toEqual([3, 6]);
  });

  it('makes a constant of what it captures, and leaves it where it is', async () => {
    const weights = tf.tensor2d([
      [1, 2],
      [3, 4],
    ]);
    const f = jit((x: Tensor) => x.matMul(weights).add(tf.scalar(1)));
    expect(numbers(await f(tf.tensor2d([[1, 1]])))).toEqual([5, 7]);
    expect(numbers(weights)).toEqual([1, 2, 3, 4]);
    expect(numbers(weights.add(1))).toEqual([2, 3, 4, 5]);
  });

  it('may read constants while tracing', async () => {
    const f = jit((x: Tensor) => x.mul(tf.tensor1d([2, 2]).dataSync()[1]!));
    expect(numbers(await f(tf.tensor1d([3])))).toEqual([6]);
  });

  it('leaks no tensor, over many calls and when a trace throws', async () => {
    const x = tf.tensor2d([[1, 2]]);
    const f = jit((v: Tensor) => valueAndGrad((z: Tensor) => [z.square().sum([1]), { twice: z.mul(2) }], v));
    tf.dispose(await f(x));
    const before = tf.memory().numTensors;
    for (let i = 0; i < 50; i++) tf.dispose(await f(x));
    const broken = jit((v: Tensor) =>
      tf.grad((z) => tf.linalg.bandPart(z.square() as tf.Tensor2D, 1, 1).sum())(v.add(1)),
    );
    const stopped = jit((v: Tensor) =>
      tf.grad((z) => {
        z.square().exp();
        throw new Error('stop');
      })(v),
    );
    await expect(stopped(x)).rejects.toThrow('stop');
    await broken(x).catch(() => undefined);
    expect(tf.memory().numTensors).toBe(before);
    expect(numbers(tf.grad((z) => z.square().sum())(x))).toEqual([2, 4]);
  });

  it('keeps concurrent calls apart, also the first two', async () => {
    const f = jit((x: Tensor, s: Scalar) => x.mul(s));
    const results = await Promise.all(
      [1, 2, 3, 4].map((s) => {
        const x = tf.tensor1d([s, 1]);
        const result = f(x, s);
        x.dispose();
        return result;
      }),
    );
    expect(results.map(numbers)).toEqual([
      [1, 1],
      [4, 2],
      [9, 3],
      [16, 4],
    ]);
    expect(f.compilations).toBe(1);
  });

  it('refuses calls once disposed of', async () => {
    const f = jit((x: Tensor) => x.neg());
    await f(tf.scalar(1));
    f.dispose();
    await expect(f(tf.scalar(1))).rejects.toThrow('disposed');
  });

  it('says what is wrong with a function that is not pure', async () => {
    await expect(jit((x: Tensor) => x.mul(x.dataSync()[0]!))(tf.scalar(2))).rejects.toThrow(
      'are not known while the function is traced',
    );
    let leaked: Tensor | undefined;
    await jit((x: Tensor) => {
      leaked = tf.keep(x.mul(2));
      return x;
    })(tf.scalar(2));
    expect(() => leaked!.dataSync()).toThrow('stands for a value inside a compiled function');
    await expect(jit((x: Tensor) => x.add(leaked!))(tf.scalar(2))).rejects.toThrow(
      'stands for a value inside a compiled function',
    );
    expect(() => tf.add(leaked!, 1)).toThrow('stands for a value inside a compiled function');
    leaked!.dispose();
    await expect(jit((async (x: Tensor) => x) as never)(tf.scalar(1) as never)).rejects.toThrow('must be synchronous');
    const inner = jit((x: Tensor) => x);
    let nested: Promise<unknown> = Promise.resolve();
    await jit((x: Tensor) => {
      nested = inner(x);
      nested.catch(() => undefined);
      return x;
    })(tf.scalar(1));
    await expect(nested).rejects.toThrow('inside another one');
  });

  it('compiles functions of numbers only, and of nothing', async () => {
    expect(numbers(await jit((a: Scalar, b: Scalar) => a.add(b))(1, 2))).toEqual([3]);
    expect(numbers(await jit(() => tf.tensor1d([1, 2]))())).toEqual([1, 2]);
  });
});

describe('the cost ledger', () => {
  const model = (x: Tensor): Tensor => mark(x, 'forward').square().tanh();

  it('counts the rows of marks that the result depends on, equal ones once', async () => {
    const f = jit((x: Tensor) => {
      const unused = model(x.add(1));
      const gradients = [1, 2].map((k) => tf.grad((z) => model(z).mul(k).sum())(x));
      return { gradients, value: model(x), spare: unused.shape.length };
    });
    const x = tf.ones([5, 2]);
    await f(x);
    // One forward pass, shared; two reverse passes; the network at x + 1 is dead.
    expect(f.cost).toEqual({ forwards: 5, vjps: 10, operatorCalls: 0 });
    await f(x);
    expect(f.cost).toEqual({ forwards: 10, vjps: 20, operatorCalls: 0 });
  });

  it('counts a network whose prediction is used, whatever else vanishes', async () => {
    const f = jit((x: Tensor) =>
      mark(x.reshape([4]), 'operator')
        .reshape([4, 1])
        .mul(1),
    );
    expect(numbers(await f(tf.ones([4, 1])))).toEqual([1, 1, 1, 1]);
    expect(f.cost).toEqual({ forwards: 0, vjps: 0, operatorCalls: 4 });
  });
});

import { describe, expect, it } from 'vitest';
import { checkpointed, eagerEngine, type Image, sampleSum, type Tensor, tf, valueAndGrad } from '@tweedie/core';

const x: Image = tf.tensor4d([0.5, -1, 2, 0.25], [2, 1, 2, 1]);
let calls = 0;
const curve = (point: Image): Tensor => {
  calls++;
  return point.mul(point.sin()).tanh();
};
const slope = (fn: (point: Image) => Tensor) => (point: Image) =>
  valueAndGrad((p) => [sampleSum(fn(p)), { mid: fn(p).neg() }], point);

describe('a checkpointed function', () => {
  it('has the value and the gradient of the function, computed once more on the way back, and leaks nothing', () => {
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const plain = slope(curve)(x);
      calls = 0;
      const { value, gradient, aux } = slope(checkpointed(curve))(x);
      // Two uses of it, of which one is differentiated.
      expect(calls).toBe(3);
      expect(value.dataSync()).toEqual(plain.value.dataSync());
      expect(gradient.dataSync()).toEqual(plain.gradient.dataSync());
      expect(aux.mid.dataSync()).toEqual(plain.aux.mid.dataSync());
    });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('goes on with the pass that it stands in, in others and beside others', () => {
    const chained = (fn: typeof curve) => (point: Image) => fn(fn(point.mul(3)) as Image).add(fn(point));
    tf.tidy(() => {
      const [plain, twice] = [curve, checkpointed(curve)].map((fn) => slope(chained(fn))(x).gradient.dataSync());
      plain!.forEach((value, i) => expect(twice![i]).toBeCloseTo(value, 6));
      // A second way back through the same forward, as DPS-w takes one.
      const [a, b] = [curve, checkpointed(curve)].map((fn) =>
        valueAndGrad((point) => {
          const y = chained(fn)(point);
          const other = valueAndGrad(() => [sampleSum(y.square()), []], point).gradient;
          return [sampleSum(y), other];
        }, x),
      );
      a!.gradient.dataSync().forEach((value, i) => expect(b!.gradient.dataSync()[i]).toBeCloseTo(value, 6));
      a!.aux.dataSync().forEach((value, i) => expect(b!.aux.dataSync()[i]).toBeCloseTo(value, 6));
    });
  });

  it('has the gradient of a gradient', () => {
    const bent = (fn: typeof curve) => (point: Image) =>
      valueAndGrad((p) => [sampleSum(valueAndGrad((q) => [sampleSum(fn(q)), []], p).gradient.square()), []], point);
    tf.tidy(() => {
      const [plain, other] = [curve, checkpointed(curve)].map((fn) => bent(fn)(x).gradient.dataSync());
      plain!.forEach((value, i) => expect(other![i]).toBeCloseTo(value, 5));
    });
  });

  it('may fail and be called again', async () => {
    const broken = eagerEngine().compile(
      (point: Image) =>
        valueAndGrad(
          (p) => [
            sampleSum(
              checkpointed((q: Image) => {
                if (calls++ > 0) throw new Error('second time');
                return q.square();
              })(p),
            ),
            [],
          ],
          point,
        ).gradient,
    );
    calls = 0;
    await expect(broken(x)).rejects.toThrow('second time');
    const { gradient } = slope(checkpointed((q: Image) => q.square()))(x);
    expect(Array.from(gradient.dataSync())).toEqual([1, -2, 4, 0.5]);
  });
});

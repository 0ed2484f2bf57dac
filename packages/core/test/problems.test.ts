import {
  ConfigError,
  decodeProblem,
  disposeProblem,
  encodeProblem,
  type KeyedRandom,
  labelFor,
  makeProblem,
  type Operator,
  type Problem,
  stackProblems,
  stackTrees,
  type Tensor,
  tf,
} from '@tweedie/core';
import { describe, expect, it } from 'vitest';

const imageShape = [40, 40, 3] as const;
const size = 40 * 40 * 3;

/** A mask, an integer table, a number and nested parameters: everything that can be drawn. */
type Drawn = { mask: Tensor; nested: { order: Tensor; gain: number } };
const operator: Operator<Drawn> = {
  linear: true,
  measurementShape: imageShape,
  draw: (random: KeyedRandom) => ({
    mask: tf.tensor3d(
      Float32Array.from(random.uniform('mask', 1600), (u) => Number(u < 0.5)),
      [40, 40, 1],
    ),
    nested: { order: tf.tensor1d(random.permutation('order', 8), 'int32'), gain: 3 },
  }),
  forward: (x, { mask, nested }) => x.mul(mask).mul(nested.gain),
  shapeNoise: (noise, { mask }) => noise.mul(mask),
};
const x0 = Float32Array.from({ length: size }, (_, i) => Math.sin(i));
const make = (changes: Partial<Parameters<typeof makeProblem>[0]> = {}) =>
  makeProblem({
    name: 'picture',
    x0,
    imageShape,
    operator: operator as unknown as Operator,
    operatorKey: 'mask {}',
    sigmaY: 0.1,
    seed: 0,
    ...changes,
  });
const drawnOf = ({ drawn }: Problem) => drawn as Drawn;

const refusal = (changes: Partial<Operator<Drawn>>, parts: Parameters<typeof make>[0] = {}): string => {
  try {
    make({ operator: { ...operator, ...changes } as unknown as Operator, ...parts });
    return 'none';
  } catch (error) {
    return String(error);
  }
};

describe('a problem', () => {
  it('is refused where the measurement is not finite or has another shape than the operator says', () => {
    const operatorKey = '{"id":"root","options":{}}';
    expect(refusal({ forward: (x) => x.sqrt() }, { operatorKey })).toBe(
      'ConfigError: [operator/root] the measurement of "picture" holds NaN at entry 4 of 4800. Correct the operator: clip or extend where a root or a logarithm ends.',
    );
    expect(refusal({ shapeNoise: (noise) => noise.div(0) })).toContain('the measurement of "picture" holds');
    expect(refusal({ measurementShape: [4800] })).toBe(
      'ConfigError: [operator mask {}] the measurement of "picture" has shape [40, 40, 3], its measurementShape is [4800]. Correct forward, shapeNoise or measurementShape.',
    );
    expect(refusal({}, { x0: x0.map((value, i) => (i === 7 ? Infinity : value)) })).toBe(
      'ConfigError: [problem] the clean image of "picture" holds Infinity at entry 7 of 4800. Give another image.',
    );
  });

  it.each([[[]], [[40, 0, 3]], [[40, -1]], [[1.5]], [[NaN]], [undefined], ['[40]']])(
    'is refused where measurementShape is %j',
    (measurementShape) => {
      expect(refusal({ measurementShape: measurementShape as number[] })).toMatch(
        /^ConfigError: \[operator mask {}\] its measurementShape is .*\. Give the shape of y without the batch axis, positive whole numbers\.$/,
      );
    },
  );

  it('is the same whenever it is made, and different for each of its causes', () => {
    const { hash } = make();
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(make().hash).toBe(hash);
    const others = [
      { seed: 1 },
      { name: 'other' },
      { operatorKey: 'mask {"rate":0.5}' },
      { sigmaY: 0.2 },
      { x0: x0.map((value) => value / 2) },
    ];
    expect(new Set([hash, ...others.map((change) => make(change).hash)]).size).toBe(others.length + 1);
  });

  it('at another noise level has the same mask and the same noise, scaled', () => {
    const [low, high] = [make({ sigmaY: 0.1 }), make({ sigmaY: 0.2 })];
    expect(drawnOf(low).mask.dataSync()).toEqual(drawnOf(high).mask.dataSync());
    const clean = make({ sigmaY: 0 }).y;
    const [noise, twice] = [low, high].map(({ y }) => y.sub(clean).dataSync());
    expect(Math.max(...noise!.map((value, i) => Math.abs(2 * value - twice![i]!)))).toBeLessThan(1e-6);
  });

  it('has residuals y - A x0 of standard deviation sigmaY where it is measured, zero elsewhere', () => {
    const { y, x0: truth, drawn } = make({ sigmaY: 0.3 });
    const { mask, nested } = drawn as Drawn;
    const residual = y.sub(truth.mul(mask).mul(nested.gain)).dataSync();
    const seen = mask.tile([1, 1, 3]).dataSync();
    const measured = [...residual].filter((_, i) => seen[i] === 1);
    const mean = measured.reduce((sum, value) => sum + value, 0) / measured.length;
    const std = Math.sqrt(measured.reduce((sum, value) => sum + (value - mean) ** 2, 0) / measured.length);
    expect(Math.abs(mean)).toBeLessThan((4 * 0.3) / Math.sqrt(measured.length));
    expect(Math.abs(std / 0.3 - 1)).toBeLessThan(4 / Math.sqrt(2 * measured.length));
    expect([...residual].filter((_, i) => seen[i] === 0).every((value) => value === 0)).toBe(true);
  });

  it.each([-0.1, NaN, Infinity])('refuses sigmaY %f', (sigmaY) => {
    expect(() => make({ sigmaY })).toThrow(ConfigError);
    expect(() => make({ sigmaY })).toThrow(
      `[problem] sigmaY must be a number >= 0, got ${sigmaY}. Give the noise's standard deviation in the units of A's output.`,
    );
  });
});

describe('a stored problem', () => {
  it('comes back as it was', () => {
    const problem = make();
    const back = decodeProblem(encodeProblem(problem), 'p.safetensors', problem.hash);
    expect({ name: back.name, operator: back.operator, sigmaY: back.sigmaY, hash: back.hash }).toEqual({
      name: 'picture',
      operator: 'mask {}',
      sigmaY: 0.1,
      hash: problem.hash,
    });
    for (const key of ['x0', 'y'] as const) {
      expect(back[key].shape).toEqual(problem[key].shape);
      expect(back[key].dataSync()).toEqual(problem[key].dataSync());
    }
    const { mask, nested } = drawnOf(back);
    expect(mask.dataSync()).toEqual(drawnOf(problem).mask.dataSync());
    expect([nested.order.dtype, [...nested.order.dataSync()], nested.gain]).toEqual([
      'int32',
      [...drawnOf(problem).nested.order.dataSync()],
      3,
    ]);
    expect(encodeProblem(back)).toEqual(encodeProblem(problem));
  });

  it('with nothing drawn comes back too', () => {
    const plain: Operator = { linear: true, measurementShape: imageShape, draw: () => ({}), forward: (x) => x.clone() };
    const problem = make({ operator: plain });
    expect(decodeProblem(encodeProblem(problem), 'p', problem.hash).drawn).toEqual({});
  });

  it('is refused when a byte of it has changed', () => {
    const problem = make();
    const bytes = encodeProblem(problem);
    bytes[bytes.length - 1]! ^= 1;
    expect(() => decodeProblem(bytes, 'p.safetensors', problem.hash)).toThrow(
      /^\[problem\] p\.safetensors has changed since it was written \(SHA-256 [0-9a-f]{12}, expected [0-9a-f]{12}\)\. Delete it to have it made again\.$/,
    );
    expect(() => decodeProblem(bytes.subarray(0, 100), 'p.safetensors')).toThrow(ConfigError);
  });
});

describe('a batch of problems', () => {
  it('stacks what belongs to each and leaks nothing when disposed of', () => {
    const before = tf.memory().numTensors;
    const problems = [make(), make({ name: 'other' })];
    const { y, sigmaY, drawn } = stackProblems(problems);
    const { mask, nested } = drawn as Drawn;
    expect([y.shape, mask.shape, nested.order.shape, nested.gain, sigmaY]).toEqual([
      [2, 40, 40, 3],
      [2, 40, 40, 1],
      [2, 8],
      3,
      0.1,
    ]);
    expect(tf.slice(mask, [1, 0, 0, 0], [1, -1, -1, -1]).dataSync()).toEqual(drawnOf(problems[1]!).mask.dataSync());
    tf.dispose([y, mask, nested.order]);
    problems.forEach(disposeProblem);
    // The slice of the line above.
    expect(tf.memory().numTensors - before).toBe(1);
    expect(() => stackProblems([])).toThrow(RangeError);
    expect(() => stackTrees([{ gain: 3 }, { gain: 4 }])).toThrow(
      'leaf 0 is 3 here and 4 there; what differs must be a tensor.',
    );
  });
});

describe('the class of a problem', () => {
  it('is stored and hashed, and a problem without one has the bytes that it had before there were classes', () => {
    const [without, three, four] = [make(), make({ label: 3 }), make({ label: 4 })];
    expect(new Set([without.hash, three.hash, four.hash]).size).toBe(3);
    expect([...without.y.dataSync()]).toEqual([...three.y.dataSync()]);
    // Computed by the code before `label`: keys of stored samples hang on it.
    expect(without.hash).toBe('100d62fa7435dbf0958c4de2af94cb84d3210f4f5ea37d7b19aed4485d3dce26');
    const read = decodeProblem(encodeProblem(three), 'stored', three.hash);
    expect(read.label).toBe(3);
    expect('label' in decodeProblem(encodeProblem(without), 'stored', without.hash)).toBe(false);
    expect([...stackProblems([three, four]).condition!.dataSync()]).toEqual([3, 4]);
    expect(stackProblems([without]).condition).toBeUndefined();
    expect(() => stackProblems([three, without])).toThrow('the image "picture" has no class, and others have one.');
    [without, three, four, read].forEach(disposeProblem);
  });

  it('is for models that know classes, and one of theirs', () => {
    const classes = (needed: boolean) => ({ classes: { count: 5, needed } });
    expect(labelFor({}, 3, 'x')).toEqual({});
    expect(labelFor(classes(true), 3, 'x')).toEqual({ label: 3 });
    expect(labelFor(classes(false), undefined, 'x')).toEqual({});
    expect(() => labelFor(classes(true), undefined, 'mine.yaml /images')).toThrow(
      '[mine.yaml /images] the model is conditional on one of 5 classes, and the images have none. Give its option label, 0 to 4, for all images, or a data set that says the class of each.',
    );
    expect(() => labelFor(classes(false), 5, 'x')).toThrow(
      'the class of an image is 5, and the model has the classes 0 to 4.',
    );
  });
});

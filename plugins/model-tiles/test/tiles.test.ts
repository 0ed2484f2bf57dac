import {
  eagerEngine,
  type Image,
  type ImageShape,
  type LevelTensors,
  modelForShape,
  noiseProcess,
  type PluginKinds,
  sampleSum,
  type ScoreModel,
  tf,
  traced,
  valueAndGrad,
} from '@tweedie/core';
import { testContext } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';
import { tiles, type TilesOptions } from '../src/index.ts';
import { axisOf, strideOf, weightsOf } from '../src/layout.ts';
import { tiledModel } from '../src/tiled.ts';

const lengths = [8, 20, 24, 28, 40, 52, 100, 256, 332, 768, 1024];
const tilings = [
  { tile: 20, overlap: 8, multipleOf: 4 },
  { tile: 20, overlap: 0, multipleOf: 4 },
  { tile: 16, overlap: 8, multipleOf: 2 },
  { tile: 320, overlap: 64, multipleOf: 8 },
].flatMap((tiling) => [false, true].map((shift) => ({ ...tiling, shift })));

describe('tiles along an axis', () => {
  it('cover it, in whole multiples, with the overlap asked for, and weights that add up to one', () => {
    for (const tiling of tilings)
      for (const length of lengths.filter((each) => each % tiling.multipleOf === 0)) {
        const axis = axisOf(length, tiling);
        const { size, starts, window, places } = axis;
        expect(size).toBeLessThanOrEqual(tiling.tile);
        expect([size, ...starts].filter((place) => place % tiling.multipleOf !== 0 && size !== length)).toEqual([]);
        expect([starts[0], starts.at(-1)! + size]).toEqual([0, window]);
        // At its last place the grid still covers the picture.
        expect(window).toBeGreaterThanOrEqual(length + (places - 1) * tiling.multipleOf);
        starts.slice(1).forEach((start, i) => expect(starts[i]! + size - start).toBeGreaterThanOrEqual(tiling.overlap));
        const sum = new Float64Array(window);
        weightsOf(axis).forEach((weights, i) =>
          weights.forEach((weight, k) => {
            expect(weight).toBeGreaterThan(0);
            sum[starts[i]! + k]! += weight;
          }),
        );
        for (const total of sum) expect(total).toBeCloseTo(1, 12);
      }
  });

  it('are no longer than they need be', () => {
    const still = { tile: 320, overlap: 64, multipleOf: 8, shift: false };
    expect(axisOf(320, still).starts).toEqual([0]);
    expect(axisOf(512, still)).toMatchObject({ size: 288, starts: [0, 224] });
    expect(axisOf(1024, still)).toMatchObject({ size: 304, starts: [0, 240, 480, 720] });
  });

  it('visit every place of a grid that shifts', () => {
    for (const places of [2, 3, 8, 12, 30, 32]) {
      const stride = strideOf(places, 0.57);
      expect(new Set(Array.from({ length: places }, (_, i) => (i * stride) % places)).size).toBe(places);
    }
  });
});

/** A model of any size whose prediction at a pixel depends on what `see` takes around it. */
const modelOf = (see: (x: Image) => Image, multipleOf = 2): ScoreModel => {
  const model: ScoreModel = {
    imageShape: [8, 8, 3],
    process: noiseProcess(),
    sizes: { multipleOf, forShape: (imageShape) => ({ ...model, imageShape }) },
    weightsHash: () => 'none',
    predict: (xt, level) => ({ x0hat: see(xt), epsilon: xt.mul(level.sigma), varianceFraction: xt.square() }),
  };
  return model;
};
const tiled = (model: ScoreModel, options: Partial<TilesOptions> = {}) =>
  tiles(
    { model: 'mine', tile: 8, overlap: 4, shift: false, ...options },
    { ...testContext(), plugin: async (kind) => model as PluginKinds[typeof kind] },
  );
const picture = ([height, width, channels]: ImageShape, rows = 2): Image =>
  tf.randomNormal([rows, height, width, channels], 0, 1, 'float32', 7);
const shapes: readonly ImageShape[] = [
  [8, 8, 3],
  [8, 21, 3],
  [19, 6, 3],
  [26, 30, 3],
];

describe('model/tiles', () => {
  it.each([false, true])('is the model where a pixel is seen alone, gradient too (shift %s)', async (shift) => {
    const alone = modelOf((x) => x.square().mul(x));
    const model = await tiled(alone, { shift });
    for (const shape of shapes) {
      const xt = picture(shape);
      for (const sigma of [0.02, 0.7, 30]) {
        const level = traced(model.process.levelAt(sigma));
        tf.tidy(() => {
          const own = (part: ScoreModel) => {
            const { gradient, aux } = valueAndGrad((x) => {
              const { varianceFraction, ...prediction } = part.predict(x, level);
              return [sampleSum(prediction.x0hat), { ...prediction, variance: varianceFraction! }];
            }, xt);
            return { gradient, ...aux };
          };
          const [got, wanted] = [own(modelForShape(model, shape)), own(modelForShape(alone, shape))];
          for (const name of ['x0hat', 'epsilon', 'variance', 'gradient'] as const) {
            const gap = got[name].sub(wanted[name]).abs().max().dataSync()[0]!;
            expect(gap / wanted[name].abs().max().dataSync()[0]!).toBeLessThan(1e-6);
          }
        });
      }
    }
  });

  it('is the same in one group and in many, with what it keeps and what it computes again', async () => {
    const model = modelOf((x) => tf.avgPool(x.sin() as Image, 3, 1, 'same') as Image);
    const shape = [26, 30, 3] as const;
    const tiling = { tile: 8, overlap: 4, multipleOf: 2, shift: false };
    const xt = picture(shape);
    const gradients = [
      { group: 1e9, kept: 1e9 },
      { group: 1, kept: 1e9 },
      { group: 5 * 8 * 8 * 2, kept: 0 },
      { group: 1, kept: 0 },
    ].map((limits) =>
      eagerEngine().compile((x: Image, level: LevelTensors) => {
        const part = tiledModel(model, shape, tiling, limits);
        return valueAndGrad((p) => [sampleSum(part.predict(p, level).x0hat.square()), []], x).gradient;
      }),
    );
    const level = model.process.levelAt(0.5);
    const [first, ...others] = await Promise.all(gradients.map((gradient) => gradient(xt, level)));
    for (const other of others) expect(other.sub(first!).abs().max().dataSync()[0]).toBeLessThan(1e-6);
  });

  it('lies at another place at each level where it shifts, and at the same at the same', async () => {
    // What a network sees of its border, zeros here, tells where tiles end.
    const bordered = modelOf(
      (x) =>
        tf
          .avgPool(x, 3, 1, 'same')
          .mul(0)
          .add(x.onesLike().cumsum(1) as Image) as Image,
    );
    const model = modelForShape(await tiled(bordered, { tile: 16, shift: true }), [16, 40, 3]);
    const still = modelForShape(await tiled(bordered, { tile: 16 }), [16, 40, 3]);
    const predict = eagerEngine().compile((xt: Image, level: LevelTensors) => model.predict(xt, level).x0hat);
    const across = modelOf((x) => x.onesLike().cumsum(2) as Image);
    const wide = modelForShape(await tiled(across, { tile: 16, shift: true }), [16, 40, 3]);
    const rows = new Set<string>();
    const xt = picture([16, 40, 3], 1);
    const sigmas = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4];
    for (const sigma of sigmas) {
      const at = () =>
        tf.tidy(() =>
          wide
            .predict(xt, traced(wide.process.levelAt(sigma)))
            .x0hat.dataSync()
            .join(),
        );
      expect(at()).toBe(at());
      rows.add(at());
    }
    expect(rows.size).toBeGreaterThan(3);
    // Rows of tiles are one here: nothing moves along them.
    const [moved, kept] = [
      await predict(xt, model.process.levelAt(1)),
      still.predict(xt, traced(model.process.levelAt(1))).x0hat,
    ];
    expect(moved.sub(kept).abs().max().dataSync()[0]).toBeLessThan(1e-4);
  });

  it('reads and disposes of the weights of its model, which it names', async () => {
    const done: string[] = [];
    const model = await tiled({
      ...modelOf((x) => x),
      load: async () => void done.push('load'),
      dispose: () => void done.push('dispose'),
    });
    const large = modelForShape(model, [64, 64, 3]);
    await large.load?.();
    expect(large.weightsHash()).toBe('none');
    expect(large).not.toHaveProperty('dispose');
    model.dispose?.();
    expect(done).toEqual(['load', 'dispose']);
  });

  it('refuses a model of one size, and tiles that are nearly all overlap', async () => {
    const { sizes: _, ...fixed } = modelOf((x) => x);
    await expect(tiled(fixed)).rejects.toThrow(
      '[model/tiles] model/mine takes images of 8 x 8 x 3 alone. Choose a model that takes any size, such as ddpm-vp with attention_resolutions: none.',
    );
    await expect(
      tiled(
        modelOf((x) => x),
        { tile: 8, overlap: 5 },
      ),
    ).rejects.toThrow(
      '[model/tiles] an overlap of 5 is more than half a tile of 8, in multiples of 2. Lower overlap, or raise tile.',
    );
  });
});

import {
  type Compiled,
  type Engine,
  type Image,
  keyedRandom,
  type Level,
  type LevelTensors,
  type Manifest,
  type Prediction,
  sampleSum,
  type ScoreModel,
  type Tensor,
  tf,
  valueAndGrad,
} from '@tweedie/core';

export type ModelSettings = {
  /** Largest relative difference between the two sides of an equation; default 1e-5. Deep networks may need more. */
  readonly tolerance?: number;
};

/** What the model checks look at. Networks are slow step by step, so most checks use the compiled prediction. */
export type ModelSubject = {
  readonly name: string;
  readonly manifest: Pick<Manifest, 'provides'>;
  /** The model, loaded. */
  readonly model: ScoreModel;
  /** Makes the model anew, not loaded. */
  readonly make: () => Promise<ScoreModel>;
  readonly tolerance: number;
  readonly predict: Compiled<[xt: Image, level: LevelTensors], Prediction>;
  /** The product < x0hat, cotangent > of each sample, and its gradient. */
  readonly project: Compiled<
    [xt: Image, level: LevelTensors, cotangent: Image],
    { readonly value: Tensor; readonly gradient: Image }
  >;
};

export async function modelSubject(
  facts: Pick<ModelSubject, 'name' | 'manifest' | 'make'> & { readonly tolerance?: number },
  engine: Engine,
): Promise<ModelSubject> {
  const model = await facts.make();
  await model.load?.();
  return {
    tolerance: 1e-5,
    ...facts,
    model,
    predict: engine.compile((xt: Image, level: LevelTensors) => model.predict(xt, level)),
    project: engine.compile((xt: Image, level: LevelTensors, cotangent: Image) => {
      const { value, gradient } = valueAndGrad(
        (x) => [sampleSum(model.predict(x, level).x0hat.mul(cotangent)), []],
        xt,
      );
      return { value, gradient };
    }),
  };
}

export const ROWS = 2;

/** The ends and the middle of the process's table, and a level between its entries. */
export function someLevels({ process }: ScoreModel): readonly Level[] {
  const { table } = process;
  const at = (share: number): Level => table[Math.round(share * (table.length - 1))] ?? process.levelAt(1);
  const [low, high] = [at(0.4).sigma, at(0.6).sigma];
  return [at(0), at(0.2), process.levelAt(Math.sqrt(low * high)), at(1)];
}

/** States of a level, seeded: images of standard deviation 0.5, noised. */
export function statesAt({ imageShape }: ScoreModel, { signal, noise }: Level): Image {
  const random = keyedRandom('model kit');
  const count = ROWS * imageShape[0] * imageShape[1] * imageShape[2];
  const eps = random.normal('noise', count);
  const values = random.normal('image', count).map((value, i) => signal * 0.5 * value + noise * (eps[i] ?? 0));
  return tf.tensor4d(values, [ROWS, ...imageShape]);
}

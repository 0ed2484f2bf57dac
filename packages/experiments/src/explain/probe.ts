import { at, rowsOf, type Image, type ImageShape } from '@tweedie/core';
import type { ExactPosterior } from './exact.ts';
import type { Instruments } from './instruments.ts';
import { imageOf, type SeenStep } from './state.ts';
import { norm, plus, type StepVectors } from './vectors.ts';
import type { PlannedRow } from '../plan/rows.ts';

/**
 * The source that guidance is read off: the move of a method, or its x0hat and why not the move, or nothing and why.
 */
export type Reading = { readonly from: 'step' } | { readonly from: 'x0hat' | 'nothing'; readonly because: string };

/** Vectors of every row of the batch; none where the state shows no noisy image. */
type Look = { readonly rows: readonly StepVectors[]; readonly reading: Reading };

/** A move shorter than this share of the state's norm is float32 rounding, not guidance. */
const RESOLUTION = 2 ** -22;

const rows64 = (image: Image): readonly Float64Array[] => rowsOf(image).map((row) => Float64Array.from(row));

const readingOf = ({ method }: PlannedRow, { stepped, noise, step }: SeenStep, xt: Image | undefined): Reading => {
  if (xt === undefined) return { from: 'nothing', because: 'its state is not a noisy image and has no member xt' };
  const because =
    method.guidance.levels !== undefined
      ? 'it moves on a grid of its own'
      : method.scheduler.advance !== undefined
        ? 'the scheduler calls the model several times a step'
        : noise === undefined
          ? 'it does not draw the noise of its step once, for the purpose "step"'
          : step.scoreWeight === 0
            ? 'a score does not move the mean of this step'
            : undefined;
  if (because === undefined) return { from: 'step' };
  return stepped.x0hat
    ? { from: 'x0hat', because }
    : { from: 'nothing', because: `${because}, and it returns no x0hat` };
};

/**
 * What one step of any method shows, from the state before and after it, its noise, its x0hat, and the closed form:
 *
 *   prior       score of p(xt), the model's: -epsilon / noise
 *   guidance    (xNext - xFree) / c, xFree the unconditional move from the same xt with the same noise, c the
 *               step's scoreWeight; where a method has no such move, signal (x0hat - E[x0 | xt]) / noise^2, which is
 *               what its x0hat says
 *   likelihood  signal (E[x0 | xt, y] - E[x0 | xt]) / noise^2, exact
 *
 * Cost a step, beside the method's: 3 forwards and 1 vjp of the model, and what `exact` costs. Differences are taken in
 * float64 of float32 states.
 */
export const createProbe = (
  { predict, free, direction, dataTerm }: Instruments,
  row: PlannedRow,
  imageShape: ImageShape,
) => {
  /** (xNext - xFree) / c of every row. */
  const movedBy = async (
    xt: Image,
    { step, stepped, noise }: SeenStep,
  ): Promise<readonly Float64Array[] | undefined> => {
    const xNext = imageOf(stepped.state, imageShape);
    if (xNext === undefined || noise === undefined) return undefined;
    const unguided = rows64(await free(xt, step, noise));
    return rows64(xNext).map((own, i) => {
      const move = plus(own, at(unguided, i, 'unguided row'), -1);
      return norm(move) < RESOLUTION * norm(own) ? move.fill(0) : move.map((value) => value / step.scoreWeight);
    });
  };

  return async (seen: SeenStep, exact: ExactPosterior | undefined): Promise<Look> => {
    const { state, step, problem, stepped } = seen;
    const { level } = step;
    const xt = imageOf(state, imageShape);
    const reading = readingOf(row, seen, xt);
    if (xt === undefined) return { rows: [], reading };
    const { x0hat, epsilon } = await predict(xt, level);
    const means = rows64(x0hat);
    /** The score that moves E[x0 | xt] to another x0hat. */
    const beyondPrior = (image: Image): readonly Float64Array[] =>
      rows64(image).map((other, i) =>
        plus(other, at(means, i, 'mean of a row'), -1).map((value) => (value * level.signal) / level.noise ** 2),
      );
    const vectors = {
      prior: rows64(epsilon).map((row) => row.map((value) => -value / level.noise)),
      guidance:
        reading.from === 'step'
          ? await movedBy(xt, seen)
          : reading.from === 'x0hat' && stepped.x0hat
            ? beyondPrior(stepped.x0hat)
            : undefined,
      likelihood: exact && beyondPrior(await exact.mean(xt, step)),
      data: exact && dataTerm && rows64(await dataTerm(xt, level, problem)),
      direction: direction && rows64(await direction(xt, level, problem)),
    };
    const rows = vectors.prior.map((prior, i): StepVectors => ({
      prior,
      guidance: vectors.guidance?.[i],
      likelihood: vectors.likelihood?.[i],
      data: vectors.data?.[i],
      direction: vectors.direction?.[i],
    }));
    return { rows, reading };
  };
};
export type Probe = ReturnType<typeof createProbe>;

/** The single reverse steps of test/fixtures/schedules/steps.json. */
import { clampTo, epsilonFromX0, noiseProcess, type Image, type NoiseProcess, predictionFromEpsilon, type Prediction, type Scheduler, type Step, type StepTensors, tf, traced } from '@tweedie/core';
import { expect } from 'vitest';
import { fixtureImage, readFixtureJson, readFixtureTensors } from './fixtures.ts';

export type StepCase = {
  readonly case: string;
  readonly schedule: string;
  readonly index: number;
  readonly variance: 'learned_range' | 'fixed_small' | 'fixed_large';
  readonly outputs: Readonly<Record<string, { readonly max_abs: number; readonly float32_reference_max_abs_error: number }>>;
};

/** 'linear 1000 respaced to 100 (integer form)', 'linear 1000, ddim100', 'linear 500 (ends doubled) respaced to 50, ...'. */
function scheduleOf(text: string): { process: NoiseProcess; steps: number | string } {
  const [, schedule, count, spacing = count] = /^(linear|cosine) (\d+)(?: \(ends doubled\))?(?:,? (?:respaced to )?((?:ddim)?\d[\d,]*\b))?(?: \(integer form\))?(?:, timesteps rescaled.*)?$/.exec(text) ?? [];
  if (schedule === undefined || spacing === undefined) throw new Error(`steps.json: schedule '${text}' is not understood.`);
  return {
    process: noiseProcess({ schedule: schedule as 'linear' | 'cosine', trainingSteps: Number(count) }),
    steps: /^\d+$/.test(spacing) ? Number(spacing) : spacing,
  };
}

/**
 * Cases with their inputs, ready for a scheduler; `check` compares one output within the tolerance of
 * test/fixtures/README.md.
 */
export function stepFixtures() {
  const { cases } = readFixtureJson<{ cases: StepCase[] }>('schedules', 'steps.json');
  const tensors = readFixtureTensors('schedules', 'steps.safetensors');
  const image = (name: string): Image => {
    const entry = tensors.get(name);
    if (entry === undefined) throw new Error(`steps.safetensors has no tensor ${name}`);
    return fixtureImage(entry);
  };

  async function inputs(one: StepCase, makeScheduler: (steps: number | string) => Promise<Scheduler>) {
    const { process, steps } = scheduleOf(one.schedule);
    const scheduler = await makeScheduler(steps);
    const step = scheduler.levels(process).find(({ index }) => index === one.index) as Step;
    const xt = image(`${one.case}.xt`);
    const output = image(`${one.case}.model_output`);
    const channels = xt.shape[3];
    const slice = (from: number) => tf.slice(output, [0, 0, 0, from], [-1, -1, -1, channels]) as Image;
    const varianceFraction = one.variance === 'learned_range' ? slice(channels).add(1).div(2) : undefined;
    const tensorsOfStep: StepTensors = traced(step);
    /** As a network would give it, x0hat clamped for `clip`. */
    const predictionOf = (form: 'clip' | 'raw'): Prediction => {
      const prediction = predictionFromEpsilon(xt, slice(0), tensorsOfStep.level);
      return { ...prediction, x0hat: clampTo(form === 'clip' ? [-1, 1] : undefined, prediction.x0hat), ...(varianceFraction && { varianceFraction }) };
    };
    return {
      step,
      xt,
      noise: image(`${one.case}.noise`),
      varianceFraction,
      transition: (prediction: Prediction) => scheduler.transition(xt, prediction, tensorsOfStep),
      epsilonRederived: (prediction: Prediction) => epsilonFromX0(xt, prediction.x0hat, tensorsOfStep.level),
      predictionOf,
    };
  }

  function check(one: StepCase, output: string, got: tf.Tensor): void {
    const facts = one.outputs[output];
    if (facts === undefined) throw new Error(`${one.case} lists no output ${output}`);
    const worst = tf.tidy(() => tf.max(tf.abs(tf.sub(tf.broadcastTo(got, image(`${one.case}.${output}`).shape), image(`${one.case}.${output}`)))).dataSync()[0] ?? NaN);
    expect.soft(worst, output).toBeLessThanOrEqual(4 * facts.float32_reference_max_abs_error + 1e-6 * facts.max_abs);
  }

  return { cases, inputs, check };
}

import {
  sampleNorm,
  sampleSum,
  type Engine,
  type Image,
  type Measured,
  type MeasuredTensors,
  type Operator,
} from '@tweedie/core';

/** The name under which the misfit of a sample is stored, beside the scores of metrics. */
export const MISFIT = 'misfit';

export interface MisfitMeter {
  /** One number per row of the batch; the same batch size each time, for it is compiled. */
  measure(operator: Operator, x: Image, problem: Measured): Promise<Float32Array>;
  dispose(): void;
}

/**
 * Measures how far samples are from the measurement that they were drawn for, in units of its noise:
 *
 *   misfit = || y - A(x) ||_2 / (sigmaY sqrt(n))       n entries of y that carry noise
 *
 * The clean image has 1 give or take 1 / sqrt(2 n). Well above 1 the measurement is not fitted, well below it its noise
 * is. Not defined for sigmaY = 0.
 */
export const misfitMeter = (engine: Engine): MisfitMeter => {
  const meterOf = (operator: Operator) =>
    engine.compile((x: Image, { y, sigmaY, drawn }: MeasuredTensors) => {
      const entries = sampleSum(operator.shapeNoise?.(y.onesLike(), drawn) ?? y.onesLike());
      return sampleNorm(y.sub(operator.forward(x, drawn))).div(entries.sqrt().mul(sigmaY));
    });
  const meters = new Map<Operator, ReturnType<typeof meterOf>>();
  return {
    async measure(operator, x, problem) {
      const meter = meters.get(operator) ?? meterOf(operator);
      meters.set(operator, meter);
      const values = await meter(x, problem);
      const numbers = Float32Array.from(await values.data());
      values.dispose();
      return numbers;
    },
    dispose() {
      for (const meter of meters.values()) meter.dispose();
    },
  };
};

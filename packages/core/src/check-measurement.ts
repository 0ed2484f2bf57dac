import { ConfigError, showShape } from './errors.ts';
import type { Operator, Tensor } from './types.ts';

/** An operator as errors name it, of its key in a problem: `operator/blur` where the key is a reference. */
const nameOf = (operatorKey: string): string => {
  const [, id] = /"id":"([^"]+)"/.exec(operatorKey) ?? [];
  return id === undefined ? `operator ${operatorKey}` : `operator/${id}`;
};

/** Refuses an operator whose measurements have no shape: positive whole numbers, at least one. */
export const checkMeasurementShape = (
  { measurementShape: shape }: Pick<Operator, 'measurementShape'>,
  operatorKey: string,
): void => {
  const given: unknown = shape;
  const sound = Array.isArray(given) && given.length > 0 && given.every((size) => Number.isInteger(size) && size > 0);
  if (sound) return;
  throw new ConfigError(
    nameOf(operatorKey),
    `its measurementShape is ${Array.isArray(given) ? showShape(given as readonly number[]) : String(given)}.`,
    'Give the shape of y without the batch axis, positive whole numbers.',
  );
};

/** Refuses a clean image or a measurement of a problem that holds NaN or an infinity. */
export const checkFinite = (what: string, of: string, tensor: Tensor, name: string, remedy: string): void => {
  const values = tensor.dataSync();
  const bad = values.findIndex((value: number) => !Number.isFinite(value));
  if (bad < 0) return;
  throw new ConfigError(
    of,
    `${what} of ${JSON.stringify(name)} holds ${values[bad]} at entry ${bad} of ${values.length}.`,
    remedy,
  );
};

/** Refuses a measurement [...] that has not the operator's shape or is not finite. `name` is the problem's. */
export const checkMeasurement = (y: Tensor, operator: Operator, operatorKey: string, name: string): void => {
  const of = nameOf(operatorKey);
  if (showShape(y.shape) !== showShape(operator.measurementShape)) {
    throw new ConfigError(
      of,
      `the measurement of ${JSON.stringify(name)} has shape ${showShape(y.shape)}, its measurementShape is ${showShape(operator.measurementShape)}.`,
      'Correct forward, shapeNoise or measurementShape.',
    );
  }
  checkFinite('the measurement', of, y, name, 'Correct the operator: clip or extend where a root or a logarithm ends.');
};

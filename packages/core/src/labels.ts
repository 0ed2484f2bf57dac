import { ConfigError } from './errors.ts';
import type { ScoreModel } from './types.ts';

/**
 * The class that a problem has for a model: that of its image, where the model is conditional on one. Throws
 * ConfigError where it is none of the model's, or none is given and the model needs one.
 */
export function labelFor(
  { classes }: Pick<ScoreModel, 'classes'>,
  label: number | undefined,
  where: string,
): { readonly label?: number } {
  if (classes === undefined) return {};
  const { count, needed } = classes;
  if (label === undefined) {
    if (!needed) return {};
    throw new ConfigError(
      where,
      `the model is conditional on one of ${count} classes, and the images have none.`,
      `Give its option label, 0 to ${count - 1}, for all images, or a data set that says the class of each.`,
    );
  }
  if (Number.isInteger(label) && label >= 0 && label < count) return { label };
  throw new ConfigError(
    where,
    `the class of an image is ${label}, and the model has the classes 0 to ${count - 1}.`,
    'Correct the list of classes.',
  );
}

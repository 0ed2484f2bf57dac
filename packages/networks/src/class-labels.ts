/** Which class a conditional network is asked for. */
import { ConfigError, type Tensor, type TensorTree, tf } from '@tweedie/core';

/**
 * The labels of a class-conditional network: rows [B, classes] of its condition, or the one class of an option for all
 * rows. `unlabelled`: a network that was also trained without a class, which a row of zeros stands for. Throws
 * ConfigError where the option is no class.
 */
export function classLabels(
  classes: number | undefined,
  label: number | undefined,
  where: string,
  unlabelled = false,
): (condition: TensorTree | undefined) => Tensor | undefined {
  if (classes === undefined) {
    if (label === undefined) return () => undefined;
    throw new ConfigError(where, `label is ${label}, but the network has no classes.`, 'Leave label out.');
  }
  const isClass = label !== undefined && Number.isInteger(label) && label >= 0 && label < classes;
  if (!isClass && !(label === undefined && unlabelled))
    throw new ConfigError(
      where,
      label === undefined
        ? `the network is conditional on one of ${classes} classes, and none is given.`
        : `label is ${label}, and the network has the classes 0 to ${classes - 1}.`,
      `Give label, 0 to ${classes - 1}${unlabelled ? ', or leave it out for no class' : ''}.`,
    );
  const row = Array.from({ length: classes }, (_, k) => Number(k === label));
  return (condition) => (condition instanceof tf.Tensor ? condition : tf.tensor2d(row, [1, classes]));
}

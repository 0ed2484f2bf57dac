/** Which class a conditional network is asked for. */
import { type Classes, ConfigError, type Tensor, type TensorTree, tf } from '@tweedie/core';

export type ClassLabels = {
  /** Rows [B, classes] for the condition of a problem, or one row for the class of the option. */
  readonly rows: (condition: TensorTree | undefined) => Tensor | undefined;
  /** For the model. */
  readonly facts: { readonly classes?: Classes };
};

/**
 * The labels of a class-conditional network: the condition of a problem, classes [B] or rows [B, classes], or else the
 * one class of an option for all rows. `unlabelled`: a network that was also trained without a class, which a row of
 * zeros stands for. Throws ConfigError where the option is no class, and where a class is asked for and none is given.
 */
export function classLabels(
  classes: number | undefined,
  label: number | undefined,
  where: string,
  unlabelled = false,
): ClassLabels {
  if (classes === undefined) {
    if (label === undefined) return { rows: () => undefined, facts: {} };
    throw new ConfigError(where, `label is ${label}, but the network has no classes.`, 'Leave label out.');
  }
  const isClass = label !== undefined && Number.isInteger(label) && label >= 0 && label < classes;
  const remedy = `Give label, 0 to ${classes - 1}${unlabelled ? ', or leave it out for no class' : ''}.`;
  if (!isClass && label !== undefined)
    throw new ConfigError(where, `label is ${label}, and the network has the classes 0 to ${classes - 1}.`, remedy);
  const row = Array.from({ length: classes }, (_, k) => Number(k === label));
  const needed = label === undefined && !unlabelled;
  return {
    facts: { classes: { count: classes, needed } },
    rows(condition) {
      if (condition instanceof tf.Tensor)
        return condition.rank === 1
          ? tf.equal(condition.reshape([-1, 1]), tf.range(0, classes).reshape([1, -1])).toFloat()
          : condition;
      if (needed)
        throw new ConfigError(
          where,
          `the network is conditional on one of ${classes} classes, and none is given.`,
          remedy,
        );
      return tf.tensor2d(row, [1, classes]);
    },
  };
}

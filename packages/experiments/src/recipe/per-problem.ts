import { ConfigError, resolveOptions, suggest, type Manifest } from '@tweedie/core';
import type { Labelled, Method, ProblemOptions } from './experiment.ts';
import type { ProblemOptionsInput } from './recipe.ts';

type Problems = { readonly operators: readonly Labelled[]; readonly sigmaY: readonly number[] };

const holdsOn = (entry: Pick<ProblemOptions, 'operator' | 'sigmaY'>, operator: string, sigmaY: number): boolean =>
  entry.operator === operator && (entry.sigmaY ?? sigmaY) === sigmaY;

/** Checks and completes the options that a row has on single problems; `at` is their place in the recipe. */
export const resolvePerProblem = (
  entries: readonly (Omit<ProblemOptionsInput, 'sigmaY'> & Pick<ProblemOptions, 'sigmaY'>)[],
  { given, sweep }: Pick<Method, 'given' | 'sweep'>,
  manifest: Manifest,
  { operators, sigmaY: levels }: Problems,
  where: string,
  at: string,
): readonly ProblemOptions[] => {
  const labels = operators.map(({ label }) => label);
  for (const [i, { operator, sigmaY }] of entries.entries()) {
    if (!labels.includes(operator))
      throw new ConfigError(
        `${where} ${at}/${i}/operator`,
        `no operator is called ${JSON.stringify(operator)}.`,
        suggest(operator, labels),
      );
    if (sigmaY !== undefined && !levels.includes(sigmaY))
      throw new ConfigError(
        `${where} ${at}/${i}/sigmaY`,
        `the experiment has no noise level ${sigmaY}, it has ${levels.join(', ')}.`,
        'Correct it, or take the entry out.',
      );
  }
  for (const operator of labels) {
    for (const sigmaY of levels) {
      const [, second] = entries.flatMap((entry, i) => (holdsOn(entry, operator, sigmaY) ? [i] : []));
      if (second !== undefined)
        throw new ConfigError(
          `${where} ${at}/${second}`,
          `a second entry holds on operator ${JSON.stringify(operator)} at sigmaY ${sigmaY}.`,
          'Keep one.',
        );
    }
  }
  for (const [i, { options }] of entries.entries()) {
    const swept = Object.keys(options).find((name) => name in (sweep?.values ?? {}));
    if (swept !== undefined)
      throw new ConfigError(
        `${where} ${at}/${i}/options/${swept}`,
        `the row has a list for ${swept}, and its rows are named after the values.`,
        'Leave it out here, or give the row one value.',
      );
  }
  return entries.map(({ operator, sigmaY, options, found }, i) => {
    const all = { ...given, ...options };
    return {
      operator,
      given: all,
      options: resolveOptions(manifest, all, where, `${at}/${i}/options`),
      ...(sigmaY === undefined ? {} : { sigmaY }),
      ...(found === undefined ? {} : { found }),
    };
  });
};

/** The entry of a list that holds on a problem. */
export const entryOn = <T extends Pick<ProblemOptions, 'operator' | 'sigmaY'>>(
  entries: readonly T[],
  operator: string,
  sigmaY: number,
): T | undefined => entries.find((entry) => holdsOn(entry, operator, sigmaY));

/** The names under which measures of sets of samples are stored. */

/** The number of modes of a posterior that count, 1 / sum of squared weights; stored beside its floors. */
export const MODES = 'effectiveModes';

/** The name that the values of a measure are stored under; another version would not be comparable. */
export const measureKey = (id: string): string => `measure 1: ${id}`;

/** How many sets of independent draws say what the posterior itself scores with so many samples. */
export const FLOOR_SETS = 16;

/** The key of one of these sets, in place of that of a row's samples. */
export const floorCell = (problem: string, samples: number, set: number): string =>
  `${samples} draws of ${problem}, set ${set}`;

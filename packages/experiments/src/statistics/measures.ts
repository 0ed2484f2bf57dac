/** What is measured of the samples of an image as a set. */

/** What the best value is: the least, the greatest, or a number that is missed on both sides. */
type Goal = 'lower' | 'higher' | number;

export type Measure = {
  readonly id: string;
  readonly title: string;
  readonly unit?: string;
  readonly goal: Goal;
  /** What it is, for a reader of the report. */
  readonly about: string;
  /**
   * A rank of the clean image among its samples, as a number in (0, 1): of many images it says how often a region of
   * 90 % holds the image, and whether ranks are uniform.
   */
  readonly rank?: true;
};

/** The measure that marks the rows of a table where the posterior is known. */
export const DECIDES = 'slicedW1';

/** Samples of an image below which distances say too little to mark a row. */
export const FEWEST_SAMPLES = 32;

/** Those that need the posterior, and no clean image. */
const ofPosterior: readonly Measure[] = [
  {
    id: DECIDES,
    title: 'sliced W1',
    unit: 'iid = 1',
    goal: 1,
    about:
      'Wasserstein-1 distance to the posterior, mean over 128 fixed projections, over that of as many independent draws. Below 1 is no merit: samples a few per cent too narrow come to 0.98 with 32 of them, so rows are ordered by how far from 1 they are, either way',
  },
  {
    id: 'slicedW2',
    title: 'sliced W2',
    unit: 'iid = 1',
    goal: 1,
    about: 'the same with squares: the root of the mean over projections of W2 squared',
  },
  {
    id: 'slicedW1Absolute',
    title: 'sliced W1, absolute',
    goal: 'lower',
    about: 'the same distance in the units of the image',
  },
  {
    id: 'energyDistance',
    title: 'energy distance',
    goal: 'lower',
    about:
      '2 E|X - Y| - E|X - X’| - E|Y - Y’| to independent draws, without bias: 0 for the posterior, sometimes below',
  },
  {
    id: 'modeWeightError',
    title: 'mode-weight error',
    goal: 'lower',
    about: 'total variation between the weights of the modes and the mean responsibilities of the samples',
  },
  {
    id: 'hitRate',
    title: 'hit rate',
    goal: 'higher',
    about: 'share of the samples whose nearest component of the prior has weight 0.001 or more in the posterior',
  },
  {
    id: 'meanError',
    title: 'mean error',
    goal: 'lower',
    about: 'norm of sample mean less posterior mean, over the root of the trace of the posterior covariance',
  },
  {
    id: 'covarianceError',
    title: 'covariance error',
    goal: 'lower',
    about: 'Frobenius norm of sample covariance less posterior covariance, over that of the latter',
  },
  {
    id: 'traceRatio',
    title: 'trace ratio',
    goal: 1,
    about: 'trace of the sample covariance over that of the posterior: below 1 is too narrow',
  },
  {
    id: 'c2st',
    title: 'C2ST',
    goal: 0.5,
    about: 'how often the nearest neighbour tells samples from independent draws: 0.5 is never more than by chance',
  },
];

/** Those that need the posterior and the clean image. */
const ofBoth: readonly Measure[] = [
  {
    id: 'mmseGap',
    title: 'MMSE gap',
    unit: 'dB',
    goal: 'lower',
    about: 'squared error of the mean of the samples over that of the posterior mean',
  },
  { id: 'hpd', title: 'HPD', rank: true, goal: 0.9, about: 'rank of the clean image by posterior density' },
  { id: 'tarp', title: 'TARP', rank: true, goal: 0.9, about: 'rank of its distance to a point drawn from the prior' },
  { id: 'sbc', title: 'SBC', rank: true, goal: 0.9, about: 'rank of it along the first projection' },
];

/** Those that need the clean image alone. */
const ofTruth: readonly Measure[] = [
  {
    id: 'crps',
    title: 'CRPS',
    goal: 'lower',
    about: 'continuous ranked probability score, mean over entries: least in expectation for the posterior',
  },
  {
    id: 'spreadSkill',
    title: 'spread / skill',
    goal: 1,
    about: 'spread of the samples over the error of their mean: below 1 is too sure',
  },
];

/** Every measure, in the order of tables. */
export const measures: readonly Measure[] = [...ofPosterior, ...ofBoth, ...ofTruth];

/** Whether a measure is of the distance to a posterior, which must be known. */
export const needsPosterior = (id: string): boolean => [...ofPosterior, ...ofBoth].some((each) => each.id === id);

export const measureOf = (id: string): Measure | undefined => measures.find((each) => each.id === id);

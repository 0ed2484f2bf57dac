import { ConfigError, type Image, type ImageShape, keyedRandom, type Metric, tf } from '@tweedie/core';
import { type Check, ensure, short } from './check.ts';
import { type Kit, titleOf } from './plugin-under-test.ts';

/** A value computed by hand, and the images it belongs to: one number fills an image. */
type WorkedExample = {
  readonly shape: ImageShape;
  readonly x: number | readonly number[];
  readonly reference: number | readonly number[];
  readonly value: number;
  /** The largest difference from the value; default 1e-5. */
  readonly tolerance?: number;
};

export type MetricSettings = {
  /** Images to compare; default: [16, 16, 3]. */
  readonly imageShape?: ImageShape;
  /** The range of the images that the metric is made for; default: [-1, 1]. */
  readonly range?: readonly [low: number, high: number];
  /** The value of equal images: the best there is. */
  readonly best: number;
  /** Whether the two images may be exchanged. */
  readonly symmetric: boolean;
  readonly worked?: readonly WorkedExample[];
};

/** What the metric checks look at. */
export type MetricSubject = Required<Omit<MetricSettings, 'best'>> & {
  readonly name: string;
  readonly metric: Metric;
  readonly best: number | undefined;
  /** The metric for images without a range, whose clean ones spread from 1 to 3. */
  makeUnbounded(): Promise<Metric>;
};

const CLOSE = 1e-6;

const picture = (purpose: string, [height, width, channels]: ImageShape, scale: number): Image =>
  tf.tensor4d(
    keyedRandom('metric kit')
      .normal(purpose, height * width * channels)
      .map((value) => Math.tanh(value * scale)),
    [1, height, width, channels],
  );
const filled = (shape: ImageShape, value: number | readonly number[]): Image =>
  typeof value === 'number' ? tf.fill([1, ...shape], value) : tf.tensor4d([...value], [1, ...shape]);

/** Runs with images that are disposed afterwards. */
async function comparing<T>(images: readonly Image[], run: (...images: readonly Image[]) => Promise<T>): Promise<T> {
  try {
    return await run(...images);
  } finally {
    tf.dispose([...images]);
  }
}

/** The scores of pairs that are given one by one or together. */
async function scoresOf(
  { metric }: MetricSubject,
  pairs: readonly (readonly [x: Image, reference: Image])[],
): Promise<readonly number[]> {
  const [xs, references] = [0, 1].map((side) => tf.concat(pairs.map((pair) => pair[side] ?? pair[0]))) as [
    Image,
    Image,
  ];
  return comparing([xs, references], () => metric.compare(xs, references));
}

export const metricChecks: readonly Check<MetricSubject>[] = [
  {
    name: 'it gives one number per sample, whatever the batch',
    async run(subject) {
      const { imageShape } = subject;
      const images = ['a', 'b', 'c', 'd'].map((purpose) => picture(purpose, imageShape, 0.5));
      await comparing(images, async (a, b, c, d) => {
        if (!a || !b || !c || !d) return;
        const together = await scoresOf(subject, [
          [a, b],
          [c, d],
          [d, a],
        ]);
        ensure(together.length === 3, () => `three pairs of images gave ${together.length} numbers.`);
        const alone = await scoresOf(subject, [[c, d]]);
        const gap = Math.abs((alone[0] ?? NaN) - (together[1] ?? NaN));
        ensure(
          gap <= CLOSE * Math.max(1, Math.abs(alone[0] ?? NaN)),
          () =>
            `a pair scores ${alone[0]} alone and ${together[1]} beside two others: something is taken over the batch.`,
        );
      });
    },
  },
  {
    name: 'equal images have the best value',
    applies: ({ best }) => best !== undefined,
    async run(subject) {
      const { imageShape, best = NaN } = subject;
      await comparing([picture('a', imageShape, 0.5)], async (a) => {
        if (!a) return;
        const [score = NaN] = await scoresOf(subject, [[a, a]]);
        ensure(
          Math.abs(score - best) <= CLOSE * Math.max(1, Math.abs(best)),
          () => `equal images score ${score}, and ${best} is the best value.`,
        );
      });
    },
  },
  {
    name: 'more noise is worse',
    async run(subject) {
      const { imageShape, metric } = subject;
      await comparing([picture('a', imageShape, 0.5), picture('noise', imageShape, 1)], async (a, noise) => {
        if (!a || !noise) return;
        const levels = [0.02, 0.1, 0.3, 0.8];
        const noisy = levels.map((level) => tf.tidy(() => tf.clipByValue(a.add(noise.mul(level)), -1, 1)));
        const scores = await comparing(noisy, () =>
          scoresOf(
            subject,
            noisy.map((image) => [image, a] as const),
          ),
        );
        const wrong = scores.findIndex(
          (score, i) =>
            i > 0 && !(metric.better === 'higher' ? score < (scores[i - 1] ?? NaN) : score > (scores[i - 1] ?? NaN)),
        );
        ensure(
          wrong < 0,
          () =>
            `\`better\` is '${metric.better}', but noise of ${levels[wrong - 1]} scores ${short(scores[wrong - 1] ?? NaN)} and noise of ${levels[wrong]} scores ${short(scores[wrong] ?? NaN)}.`,
        );
      });
    },
  },
  {
    name: 'the images may be exchanged',
    applies: ({ symmetric }) => symmetric,
    async run(subject) {
      const { imageShape } = subject;
      await comparing([picture('a', imageShape, 0.5), picture('b', imageShape, 0.3)], async (a, b) => {
        if (!a || !b) return;
        const [there = NaN, back = NaN] = await scoresOf(subject, [
          [a, b],
          [b, a],
        ]);
        ensure(
          Math.abs(there - back) <= CLOSE * Math.max(1, Math.abs(there)),
          () =>
            `x against reference scores ${there}, the other way round ${back}, and the test says that the metric is symmetric.`,
        );
      });
    },
  },
  {
    name: 'values computed by hand come out',
    applies: ({ worked }) => worked.length > 0,
    async run(subject) {
      for (const { shape, x, reference, value, tolerance = 1e-5 } of subject.worked) {
        await comparing([filled(shape, x), filled(shape, reference)], async (a, b) => {
          if (!a || !b) return;
          const [score = NaN] = await scoresOf(subject, [[a, b]]);
          ensure(
            Math.abs(score - value) <= tolerance,
            () =>
              `${JSON.stringify(x)} against ${JSON.stringify(reference)} scores ${score}, and ${value} is the value computed by hand.`,
          );
        });
      }
    },
  },
  {
    name: 'a number that is not finite is not hidden',
    async run(subject) {
      await comparing([filled(subject.imageShape, NaN), picture('a', subject.imageShape, 0.5)], async (broken, a) => {
        if (!broken || !a) return;
        const [score = 0] = await scoresOf(subject, [[broken, a]]);
        ensure(
          !Number.isFinite(score),
          () => `an image of NaN scores ${score}: clipping or a maximum hides what is broken.`,
        );
      });
    },
  },
  {
    name: 'images without a range are not clipped',
    async run({ imageShape, makeUnbounded }) {
      await comparing([filled(imageShape, 2), filled(imageShape, 2.5)], async (a, b) => {
        if (!a || !b) return;
        // A metric that knows pictures alone refuses, when it is made or when it compares.
        const scores = await makeUnbounded()
          .then(async (metric) => [...(await metric.compare(a, b)), ...(await metric.compare(a, a))])
          .catch((error: unknown) => {
            if (error instanceof ConfigError) return undefined;
            throw error;
          });
        if (scores === undefined) return;
        const [apart = NaN, equal = NaN] = scores;
        ensure(
          Number.isFinite(apart) && Math.abs(apart - equal) > CLOSE * Math.max(1, Math.abs(equal)),
          () =>
            `images of 2 and of 2.5 score ${apart}, equal ones ${equal}: clip to the range in the context, and to nothing where there is none.`,
        );
      });
    },
  },
  {
    name: 'images of different shapes are refused',
    async run({ metric, name, imageShape: [height, width, channels] }) {
      await comparing(
        [tf.zeros([1, height, width, channels]), tf.zeros([2, height, width, channels])],
        async (one, two) => {
          if (!one || !two) return;
          const error = await metric.compare(one, two).then(
            () => undefined,
            (reason: unknown) => reason,
          );
          ensure(
            error instanceof ConfigError && error.message.startsWith(`[${name}]`),
            () =>
              `one image against two is ${error === undefined ? 'accepted' : `"${String(error)}"`}; a ConfigError that starts with [${name}] is wanted.`,
          );
        },
      );
    },
  },
  {
    name: 'it leaves no tensors behind',
    async run({ metric, imageShape }) {
      await comparing([picture('a', imageShape, 0.5), picture('b', imageShape, 0.5)], async (a, b) => {
        if (!a || !b) return;
        await metric.compare(a, b);
        const before = tf.memory().numTensors;
        await metric.compare(a, b);
        const left = tf.memory().numTensors - before;
        ensure(left === 0, () => `a comparison leaves ${left} tensors behind. Put tf.tidy around it.`);
      });
    },
  },
];

/** Without settings, which a metric's test gives, the kit leaves out what they say. */
export const metricKit = ({
  imageShape = [16, 16, 3],
  range = [-1, 1],
  worked = [],
  best,
  symmetric = false,
}: Partial<MetricSettings>): Kit<MetricSubject> => ({
  kind: 'metric',
  blocksOf: ({ container, manifest, name }, options) => [
    {
      title: titleOf(options),
      make: async () => ({
        name,
        imageShape,
        range,
        worked,
        best,
        symmetric,
        metric: await container.plugin('metric', { id: manifest.id, options }, { range }),
        makeUnbounded: () => container.plugin('metric', { id: manifest.id, options }, { references: [1, 3] }),
      }),
    },
  ],
  checks: metricChecks,
});

import { encodePng } from '@tweedie/files';
import type { PngDataUri, ReportData, ReportImage, ReportResult } from '../src/report/data.ts';
import type { MetricSummary } from '../src/results/compare-rows.ts';
import type { Failure, RowSummary } from '../src/results/summary.ts';

const size = 32;
const metrics = [
  { id: 'psnr', title: 'PSNR', better: 'higher', unit: 'dB', key: 'psnr' },
  { id: 'ssim', title: 'SSIM', better: 'higher', key: 'ssim' },
] as const;

/**
 * [label, method, options, PSNR and SSIM it loses to the first, spread of that loss, forwards, vjps, operator calls,
 * seconds].
 */
const methods = [
  ['exact', 'exact', '', 0, 0, 0, 100, 0, 0, 0.31],
  ['DPS-w', 'dps-w', 'cached score', 0.3, 0.004, 0.9, 110, 0, 100, 0.42],
  ['DPS 0.3', 'dps', 'scale 0.3', 1.9, 0.031, 1.1, 100, 100, 100, 0.55],
  ['DPS 1.0', 'dps', 'scale 1, norm squared', 4.2, 0.092, 1.6, 100, 100, 100, 0.56],
] as const;
const problems = [
  { operator: 'identity', sigmaY: 0.05, base: 31 },
  { operator: 'inpaint random 70 %', sigmaY: 0.05, base: 24.5 },
] as const;
const reason = 'x0hat is not finite (first seen at sigma 3.2).';
const levels = [40, 12.6, 5.1, 2.4, 1.2, 0.55, 0.21, 0.05];

/** Numbers in [-1, 1], the same on every run. */
function randomFrom(seed: number): () => number {
  let state = seed * 2654435761 + 12345;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 31 - 1;
  };
}

type Pixel = (x: number, y: number, channel: number) => number;

/** PNG of a function of the unit square with values in [-1, 1]. */
async function png(pixel: Pixel): Promise<PngDataUri> {
  const pixels = Float32Array.from({ length: size * size * 3 }, (_, index) => {
    const place = Math.floor(index / 3);
    return pixel((place % size) / size, Math.floor(place / size) / size, index % 3);
  });
  return `data:image/png;base64,${Buffer.from(await encodePng(pixels, [size, size, 3])).toString('base64')}`;
}

/** A face of its own colour and gaze. */
function face(index: number): Pixel {
  const colour = [0.9 - 0.1 * (index % 3), 0.55 - 0.25 * (index % 4), -0.6 + 0.3 * (index % 5)];
  return (x, y, channel) => {
    const [dx, dy] = [x - 0.5, y - 0.5];
    if (Math.hypot(dx, dy) > 0.42) return 0;
    if (Math.hypot(Math.abs(dx) - 0.15, dy + 0.08 - 0.01 * index) < 0.06) return -0.75;
    if (Math.abs(Math.hypot(dx, dy - 0.02) - 0.24) < 0.03 && dy > 0.08) return -0.75;
    return (colour[channel] ?? 0) - 0.35 * Math.max(0, dy);
  };
}

const noisy = (pixel: Pixel, level: number, seed: number): Pixel => {
  const random = randomFrom(seed);
  return (x, y, channel) => pixel(x, y, channel) + level * (random() + random());
};

async function result(index: number, problem: number, method: number): Promise<ReportResult> {
  const clean = face(index);
  const [label] = methods[method] ?? methods[0];
  const level = 0.02 + 0.06 * method + 0.05 * problem;
  const seed = 1000 * index + 100 * problem + 10 * method;
  const spread = noisy(
    (x, y) => -1 + (0.3 + 0.3 * method) * Math.exp(-60 * (Math.hypot(x - 0.5, y - 0.5) - 0.42) ** 2),
    0.05,
    seed,
  );
  return {
    label,
    sample: await png(noisy(clean, level, seed)),
    mean: await png(noisy(clean, level / 3, seed + 1)),
    std: await png((x, y) => spread(x, y, 0)),
    ...(index < 2
      ? {
          trace: {
            levels,
            frames: await Promise.all(
              levels.map((_, step) => {
                const share = step / (levels.length - 1);
                return png(
                  noisy((x, y, channel) => share * clean(x, y, channel), level + 0.3 * (1 - share), seed + step),
                );
              }),
            ),
          },
        }
      : {}),
  };
}

const reportImage = async (index: number): Promise<ReportImage> => ({
  name: `test ${index + 1}`,
  truth: await png(face(index)),
  problems: await Promise.all(
    problems.map(async ({ operator, sigmaY }, problem) => {
      const kept = randomFrom(index);
      const mask = Array.from({ length: size * size }, () => (problem === 0 || kept() > 0.4 ? 1 : 0));
      const seen = noisy(face(index), 0.05, index);
      return {
        operator,
        sigmaY,
        stdWhite: 0.4,
        measurement: await png((x, y, channel) => (mask[Math.round(size * (size * y + x))] ? seen(x, y, channel) : 0)),
        results: await Promise.all(methods.map((_, method) => result(index, problem, method))),
      };
    }),
  ),
});

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const estimate = (values: readonly number[]) => {
  const mean = meanOf(values);
  return {
    n: values.length,
    mean,
    ci95: (1.96 * Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2)))) / Math.sqrt(values.length),
  };
};

function row(problem: number, method: number, imageCount: number): RowSummary {
  const { operator, sigmaY, base } = problems[problem] ?? problems[0];
  const [label, id, options, , , , forwards, vjps, operatorCalls, secondsPerSample] = methods[method] ?? methods[0];
  const scoresOf = (other: number) =>
    Array.from({ length: imageCount }, (_, image) => {
      const [, , , loss, loss2, spread] = methods[other] ?? methods[0];
      const tied = problem === 0 && other === 1;
      const image01 = randomFrom(image + 50 * problem)();
      const own = spread * randomFrom(77 * image + 13 * other + problem)();
      return {
        psnr: base + 2.5 * image01 - (tied ? 0.2 * loss : loss) + own,
        ssim: 0.9 + 0.03 * image01 - 0.1 * problem - (tied ? 0.5 * loss2 : loss2) + 0.01 * own,
      };
    });
  const scores = scoresOf(method);
  const reference = scoresOf(0);
  return {
    operator,
    sigmaY,
    label,
    method: id,
    options,
    steps: 100,
    problems: [],
    cells: [],
    finished: imageCount,
    failed: method === 3 && problem === 1 ? [{ image: 1, sample: 0, step: 37, reason }] : [],
    cost: { forwards, vjps, equivalents: forwards + 2 * vjps, operatorCalls, secondsPerSample },
    metrics: new Map(
      (['psnr', 'ssim'] as const).map((metric): [string, MetricSummary] => {
        const values = scores.map((score) => score[metric]);
        const difference = estimate(values.map((value, image) => value - (reference[image]?.[metric] ?? 0)));
        return [
          metric,
          {
            ...estimate(values),
            perImage: values,
            best: method === 0 && problem === 1,
            ofMean: estimate(values.map((value) => value + (metric === 'psnr' ? 1.4 : 0.02))),
            ...(method > 0
              ? {
                  difference: {
                    to: 'exact',
                    ...difference,
                    pHolm: Math.exp(-9 * Math.abs(difference.mean)),
                    winRate: Math.max(0, 0.4 - 0.1 * method),
                  },
                }
              : {}),
          },
        ];
      }),
    ),
  };
}

const failure: Failure = {
  operator: problems[1].operator,
  sigmaY: 0.05,
  method: 'dps',
  label: 'DPS 1.0',
  image: 'test 2',
  sample: 0,
  step: 37,
  reason,
};

/** A report as `compare` makes it: two problems, four methods and a skipped one, pictures of some images. */
export async function sampleReport({ imageCount = 16, pictured = 3 } = {}): Promise<ReportData> {
  const imageNames = Array.from({ length: imageCount }, (_, index) => `test ${index + 1}`);
  return {
    title: 'Quickstart',
    created: '2025-01-31T09:30:00.000Z',
    command: 'npx tweedie compare recipes/quickstart.yaml --samples 8',
    notes:
      'Sixteen images drawn from the prior itself, so that the posterior is known and the exact row is the truth to compare with.\n\nOptions were chosen on the validation split.',
    provenance: [
      { name: 'commit', value: '793e96c0f5d1' },
      { name: 'plugins', value: 'guidance/dps 0.1.0, guidance/exact 0.1.0, model/empirical 0.1.0' },
      { name: 'weights', value: 'sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08' },
      { name: 'engine', value: 'onnxruntime 1.30.0, 2 threads' },
    ],
    imageShape: [size, size, 3],
    imageNames,
    metrics,
    rows: [
      ...problems.flatMap((_, problem) => methods.map((__, method) => row(problem, method, imageCount))),
      {
        operator: problems[1].operator,
        sigmaY: 0.05,
        label: 'DSG',
        method: 'dsg',
        options: '',
        steps: 100,
        problems: [],
        cells: [],
        skipped: 'guidance/dsg needs model.gradient, which this model does not give.',
        metrics: new Map(),
        finished: 0,
        failed: [],
      },
    ],
    images: await Promise.all(Array.from({ length: pictured }, (_, index) => reportImage(index))),
    failures: [failure],
  };
}

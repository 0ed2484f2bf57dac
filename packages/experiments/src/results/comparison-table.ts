import { plural, textTable } from '../machine/text-table.ts';
import type { IndexMetric, RunIndex } from '../run/run-index.ts';
import { columnDecimals, plain } from './numbers.ts';
import { problemsOf, type ProblemRows } from './problems.ts';
import { scaleNotes } from './scales.ts';
import { DECIDES } from '../statistics/measures.ts';
import type { MetricSummary } from './compare-rows.ts';
import type { Floor } from './posterior.ts';
import { progressOf, whyUnmeasured, type RowSummary } from './summary.ts';

const { amount, estimate, fixed, signed } = plain;

/** `top` is what stands at the row with the best mean where it is not marked. */
const showDifference = ({ difference, best }: MetricSummary, decimals: number, top = 'unresolved'): string =>
  difference ? estimate(difference, decimals, signed) : best ? 'best' : top;

const showP = (p: number | undefined): string => (p === undefined ? '' : p < 0.001 ? '<0.001' : fixed(p, 3));
const percent = (share: number): string => `${Math.round(100 * share)} %`;

/** The mean with its interval; of scores of 0 and 1 the rate with its own. */
const showMean = ({ rate, ...summary }: MetricSummary, decimals: number): string =>
  rate ? `${rate.hits}/${rate.of} (${percent(rate.low)} to ${percent(rate.high)})` : estimate(summary, decimals);

type Column = { readonly title: string; readonly cell: (row: RowSummary) => string };

const metricColumns = (metric: IndexMetric, rows: readonly RowSummary[]): readonly Column[] => {
  const of = (row: RowSummary): MetricSummary | undefined => row.metrics.get(metric.id);
  const found = rows.flatMap((row) => of(row) ?? []);
  const decimals = columnDecimals(found.map(({ mean }) => mean));
  const title = `${metric.id}${metric.unit === undefined ? '' : ` (${metric.unit})`} ${metric.better === 'higher' ? '↑' : '↓'}`;
  const byDistance = rows.some(({ distance }) => distance !== undefined);
  const truth = rows.find((row) => row.truth === 'draws');
  const top = truth ? 'the truth' : rows.some(({ unmarked }) => unmarked !== undefined) ? 'best mean' : 'unresolved';
  const shown =
    (show: (summary: MetricSummary) => string) =>
    (row: RowSummary): string => {
      const summary = of(row);
      return summary ? show(summary) : '-';
    };
  return [
    { title, cell: shown((summary) => `${summary.best ? '* ' : ''}${showMean(summary, decimals)}`) },
    // Where distance decides, nobody is best by a score against the clean image.
    ...(byDistance
      ? []
      : [
          {
            title: truth ? `to ${truth.label}` : 'to best',
            cell: (row: RowSummary) =>
              row.floor
                ? ''
                : shown((summary) => (found.length > 1 ? showDifference(summary, decimals, top) : ''))(row),
          },
        ]),
    ...(!byDistance && found.some(({ difference }) => difference?.pHolm !== undefined)
      ? [
          { title: 'p', cell: shown(({ difference }) => showP(difference?.pHolm)) },
          ...(truth
            ? []
            : [{ title: 'wins', cell: shown(({ difference }) => (difference ? percent(difference.winRate) : '')) }]),
        ]
      : []),
    ...(found.some(({ spread }) => spread)
      ? [
          {
            title: 'sd within',
            cell: shown(({ spread }) => (spread ? fixed(spread.within, decimals) : '-')),
          },
          { title: 'between', cell: shown(({ spread }) => (spread ? fixed(spread.between, decimals) : '-')) },
        ]
      : []),
    ...(found.some(({ ofMean }) => ofMean)
      ? [{ title: 'of mean', cell: shown(({ ofMean }) => (ofMean ? estimate(ofMean, decimals) : '-')) }]
      : []),
  ];
};

/** The deciding distance, its interval and who is marked by it; how often a region of 90 % holds the clean image. */
const posteriorColumns = (rows: readonly RowSummary[]): readonly Column[] => {
  const summary = ({ measures }: RowSummary, id: string) => measures?.get(id);
  if (!rows.some((row) => summary(row, DECIDES))) return [];
  const compared = rows.filter(({ distance }) => distance !== undefined).length > 1;
  const decimals = 2;
  return [
    {
      title: 'sliced W1 (iid = 1)',
      cell: (row) => {
        const distance = summary(row, DECIDES);
        return distance ? `${row.distance?.best ? '* ' : ''}${estimate(distance, decimals)}` : '-';
      },
    },
    ...(compared
      ? [
          {
            title: 'to best',
            cell: ({ distance }: RowSummary) => (distance ? showDifference(distance, decimals) : ''),
          },
          { title: 'p', cell: ({ distance }: RowSummary) => showP(distance?.difference?.pHolm) },
        ]
      : []),
    ...(rows.some((row) => summary(row, 'hpd'))
      ? [
          {
            title: 'coverage 90 %',
            cell: (row: RowSummary) => {
              const coverage = summary(row, 'hpd')?.coverage;
              return coverage
                ? `${percent(coverage.hits / coverage.of)} (${percent(coverage.low)} to ${percent(coverage.high)})`
                : '-';
            },
          },
        ]
      : []),
  ];
};

const showFloor = ({ mean, low, high }: Floor, show: (value: number) => string): string =>
  `${show(mean)} (${show(Math.max(0, low))} to ${show(high)})`;

/** What as many independent draws score, as the last line of a table: cells by the titles of columns. */
const floorLine = (columns: readonly Column[], rows: readonly RowSummary[]): readonly (readonly string[])[] => {
  const floorOf = (id: string): Floor | undefined =>
    rows.map(({ measures }) => measures?.get(id)?.floor).find((floor) => floor !== undefined);
  const [distance, coverage] = [floorOf(DECIDES), floorOf('hpd')];
  if (distance === undefined) return [];
  const share = (value: number): string => percent(Math.min(1, value));
  return [
    columns.map(({ title }) => {
      if (title === 'method') return 'iid draws, 95 % range';
      if (title.startsWith('sliced W1')) return showFloor(distance, (value) => fixed(value, 2));
      return title.startsWith('coverage') && coverage ? showFloor(coverage, share) : '';
    }),
  ];
};

/** What marks the rows of a table whose posterior is known, or why nothing does. */
const markNotes = (rows: readonly RowSummary[]): readonly string[] => {
  const [unmarked] = rows.flatMap(({ unmarked }) => unmarked ?? []);
  const [modes] = rows.flatMap(({ modes }) => modes ?? []);
  return [
    ...(unmarked === undefined ? [] : [`  No row is marked: ${unmarked}.`]),
    ...(modes === undefined
      ? []
      : [
          `  The posterior has ${fixed(modes.mean, 1)} modes that count (1 / sum of squared weights${fixed(modes.most, 1) !== fixed(modes.least, 1) ? `; ${fixed(modes.least, 1)} to ${fixed(modes.most, 1)} from image to image` : ''}).`,
        ]),
  ];
};

const otherColumns: readonly Column[] = [
  { title: 'misfit', cell: ({ misfit }) => (misfit ? fixed(misfit.mean, 2) : '-') },
  { title: 'cost', cell: ({ cost, work }) => (cost ? (work === undefined ? amount(cost.equivalents) : 'none') : '-') },
  { title: 'forwards', cell: ({ cost }) => (cost ? amount(cost.forwards) : '-') },
  { title: 'vjps', cell: ({ cost }) => (cost ? amount(cost.vjps) : '-') },
  { title: 'A calls', cell: ({ cost }) => (cost ? amount(cost.operatorCalls) : '-') },
  { title: 's/sample', cell: ({ cost }) => (cost ? amount(cost.secondsPerSample) : '-') },
];

const showFailures = ({ images }: RunIndex, { label, cells, failed }: RowSummary): readonly string[] => {
  const [first] = failed;
  if (first === undefined) return [];
  return [
    `  ${label}: ${failed.length} of ${cells.flat().length} samples failed, the first of ${images[first.image]} at step ${first.step}: ${first.reason}`,
  ];
};

const block = (index: RunIndex, { operator, sigmaY, rows }: ProblemRows<RowSummary>): string => {
  const ran = rows.filter(({ skipped }) => skipped === undefined);
  const columns: readonly Column[] = [
    { title: 'method', cell: ({ label }) => label },
    ...posteriorColumns(ran),
    ...index.metrics.flatMap((metric) => metricColumns(metric, ran)),
    ...otherColumns,
  ];
  const failed = ran.some((row) => row.failed.length > 0)
    ? [{ title: 'failed', cell: (row: RowSummary) => String(row.failed.length) }]
    : [];
  const all = [...columns, ...failed];
  return [
    `${operator}, sigmaY ${sigmaY}`,
    '',
    textTable(
      all.map(({ title }) => title),
      [...ran.map((row) => all.map(({ cell }) => cell(row))), ...floorLine(all, ran)],
    ),
    ...markNotes(ran),
    ...rows.flatMap(({ label, skipped }) => (skipped === undefined ? [] : [`  ${label}: skipped, ${skipped}`])),
    ...[...new Set(rows.flatMap(({ work }) => work ?? []))].map(
      (work) => `  ${rows.flatMap((row) => (row.work === work ? [row.label] : [])).join(', ')}: cost is ${work}`,
    ),
    ...rows.flatMap((row) => showFailures(index, row)),
    ...rows.flatMap((row) => {
      const why = whyUnmeasured(row);
      return why === undefined ? [] : [`  ${row.label}: ${why}`];
    }),
  ].join('\n');
};

/** What the row of the exact score at the recipe's steps is, where there is one. */
const floorNotes = (rows: readonly RowSummary[]): readonly string[] => {
  const floor = rows.find((row) => row.floor);
  return floor === undefined
    ? []
    : [
        `"${floor.label}": guidance without error, so what these steps alone leave; compared with no row, and never marked. "floor: false" in the recipe leaves it out.`,
      ];
};

/** The comparison for a terminal: one block per operator and noise level. */
export const comparisonTable = (index: RunIndex, rows: readonly RowSummary[]): string => {
  const { finished, expected } = progressOf(index, rows);
  const byDistance = rows.some(({ distance }) => distance !== undefined);
  return [
    `${index.title}: ${plural(index.images.length, index.truthUnknown ? 'measurement' : 'image')}, ${plural(index.samples, 'sample')} each${finished < expected ? ` (unfinished: ${finished} of ${expected} samples)` : ''}`,
    '',
    ...problemsOf(rows).flatMap((problem) => [block(index, problem), '']),
    ...(byDistance
      ? [
          '"sliced W1": distance to the posterior over fixed projections, in units of what as many independent draws have; with 95 % t intervals over images.',
          'Where the posterior is known, * marks a row by it and never by a score against the clean image, and only where no interval of a paired difference crosses zero; "to best" is how much farther from 1 a row is. Posterior rows are never marked.',
          '"coverage": how often the region of 90 % of the samples holds the clean image, by posterior density. The report and tweedie export have all measures.',
        ]
      : []),
    ...floorNotes(rows),
    ...(index.metrics.length > 0
      ? [
          byDistance
            ? 'Scores against the clean image: means over images with 95 % t intervals.'
            : rows.some((row) => row.truth === 'draws')
              ? 'Mean over images, and the paired difference to independent draws of the posterior, with 95 % t intervals: above them are samples that are too narrow, and estimates.'
              : 'Mean over images and "to best", the paired difference to the row with the best mean, with 95 % t intervals; * only where no interval of a difference crosses zero.',
          '"p": paired t test, corrected by Holm over the rows; "wins": share of the images on which the row is better than the best, ties half.',
        ]
      : []),
    ...(index.metrics.length > 0 && index.samples > 1
      ? [
          'Scores are means over the samples of an image; "of mean" scores the mean of its samples. No best-of-samples is taken.',
          'Standard deviations of a score: "sd within" among the samples of one image, "between" among the images, the scatter of their samples taken off.',
        ]
      : []),
    ...scaleNotes(index, rows),
    'misfit: ||y - A(x)|| / (sigmaY sqrt(entries)); 1 is the level of the noise.',
    'Cost per sample: forwards + 2 vjps of the network in one number, forwards (what papers call NFE), vjps, calls of the operator A, seconds without compilation.',
  ].join('\n');
};

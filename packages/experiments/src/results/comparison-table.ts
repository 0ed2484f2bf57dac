import { plural, textTable } from '../machine/text-table.ts';
import type { IndexMetric, RunIndex } from '../run/run-index.ts';
import { columnDecimals, plain } from './numbers.ts';
import { problemsOf, type ProblemRows } from './problems.ts';
import { scaleNotes } from './scales.ts';
import type { MetricSummary } from './compare-rows.ts';
import { progressOf, whyUnmeasured, type RowSummary } from './summary.ts';

const { amount, estimate, fixed, signed } = plain;

const showDifference = ({ difference, best }: MetricSummary, decimals: number): string =>
  difference ? estimate(difference, decimals, signed) : best ? 'best' : 'unresolved';

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
  const shown =
    (show: (summary: MetricSummary) => string) =>
    (row: RowSummary): string => {
      const summary = of(row);
      return summary ? show(summary) : '-';
    };
  return [
    { title, cell: shown((summary) => `${summary.best ? '* ' : ''}${showMean(summary, decimals)}`) },
    { title: 'to best', cell: shown((summary) => (found.length > 1 ? showDifference(summary, decimals) : '')) },
    ...(found.some(({ difference }) => difference?.pHolm !== undefined)
      ? [
          { title: 'p', cell: shown(({ difference }) => showP(difference?.pHolm)) },
          { title: 'wins', cell: shown(({ difference }) => (difference ? percent(difference.winRate) : '')) },
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
      ran.map((row) => all.map(({ cell }) => cell(row))),
    ),
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

/** The comparison for a terminal: one block per operator and noise level. */
export const comparisonTable = (index: RunIndex, rows: readonly RowSummary[]): string => {
  const { finished, expected } = progressOf(index, rows);
  return [
    `${index.title}: ${plural(index.images.length, index.truthUnknown ? 'measurement' : 'image')}, ${plural(index.samples, 'sample')} each${finished < expected ? ` (unfinished: ${finished} of ${expected} samples)` : ''}`,
    '',
    ...problemsOf(rows).flatMap((problem) => [block(index, problem), '']),
    ...(index.metrics.length > 0
      ? [
          'Mean over images and "to best", the paired difference to the row with the best mean, with 95 % t intervals; * only where no interval of a difference crosses zero.',
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

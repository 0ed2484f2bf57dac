import * as Plot from '@observablehq/plot';
import { printed } from '../results/numbers.ts';
import type { MetricSummary } from '../results/compare-rows.ts';
import type { RowSummary } from '../results/summary.ts';
import type { IndexMetric } from '../run/run-index.ts';
import { html, type Html } from './html.ts';
import { accent, faint, ink, paper, plotFigure } from './plot.ts';
import { referenceLabel, type ReportRows } from './problems.ts';
import { isResolved, metricDecimals } from './table.ts';

const { estimate: describe, fixed } = printed;
const width = 560;
const rowHeight = 30;
const longestLabel = 22;

type ScoredRow = { readonly row: RowSummary; readonly score: MetricSummary };

/**
 * Two figures of one metric on one problem: the scores, and what the comparison rests on, the paired differences to the
 * best mean.
 */
export function metricFigures(problem: ReportRows, metric: IndexMetric, imageNames: readonly string[]): Html | null {
  const scored = problem.rows.flatMap((row): readonly ScoredRow[] => {
    const score = row.metrics.get(metric.id);
    return score ? [{ row, score }] : [];
  });
  if (scored.length === 0) return null;
  const decimals = metricDecimals(problem.rows, metric);
  const label = referenceLabel(problem.rows, metric);
  const reference = scored.find(({ row }) => row.label === label);
  const unit = metric.unit ? ` (${metric.unit})` : '';
  const scores = scoresFigure(
    scored,
    metric,
    imageNames,
    decimals,
    `${metric.title}${unit}, ${metric.better} is better`,
  );
  const differences =
    reference && scored.length > 1
      ? differencesFigure(
          scored,
          reference,
          metric,
          imageNames,
          decimals,
          `${metric.title} minus that of ${shorten(reference.row.label)} on the same image${unit}`,
        )
      : null;
  return html`<div class="figures">${scores}${differences}</div>`;
}

function scoresFigure(
  scored: readonly ScoredRow[],
  metric: IndexMetric,
  imageNames: readonly string[],
  decimals: number,
  label: string,
): Html {
  return figure(scored, label, [
    Plot.tickX(
      scored.flatMap(({ row }) =>
        scoresOf(row, metric).flatMap((value, image) =>
          value === null
            ? []
            : [{ label: row.label, value, title: `${imageNames[image] ?? image + 1}: ${fixed(value, decimals)}` }],
        ),
      ),
      tickStyle,
    ),
    Plot.ruleY(intervals(scored.map(({ row, score }) => ({ row, estimate: score }))), intervalStyle),
    Plot.dot(scored, {
      y: ({ row }: ScoredRow) => row.label,
      x: ({ score }: ScoredRow) => score.mean,
      r: 5,
      fill: ({ score }: ScoredRow) => (score.best ? accent : ink),
      stroke: paper,
      strokeWidth: 1.5,
      title: ({ row, score }: ScoredRow) => `${row.label}: ${describe(score, decimals)}`,
    }),
  ]);
}

/**
 * The paired differences to the reference: a filled dot where the interval excludes zero, a ring where it does not.
 */
function differencesFigure(
  scored: readonly ScoredRow[],
  reference: ScoredRow,
  metric: IndexMetric,
  imageNames: readonly string[],
  decimals: number,
  label: string,
): Html {
  const base = scoresOf(reference.row, metric);
  const estimates = scored.flatMap(({ row, score }) => (score.difference ? [{ row, estimate: score.difference }] : []));
  return figure(scored, label, [
    Plot.ruleX([0], { stroke: accent, strokeWidth: 1.25 }),
    Plot.tickX(
      estimates.flatMap(({ row }) =>
        scoresOf(row, metric).flatMap((value, image) => {
          const other = base[image] ?? null;
          return value === null || other === null
            ? []
            : [
                {
                  label: row.label,
                  value: value - other,
                  title: `${imageNames[image] ?? image + 1}: ${fixed(value - other, decimals)}`,
                },
              ];
        }),
      ),
      tickStyle,
    ),
    Plot.ruleY(intervals(estimates), intervalStyle),
    Plot.dot(estimates, {
      y: ({ row }: (typeof estimates)[number]) => row.label,
      x: ({ estimate }: (typeof estimates)[number]) => estimate.mean,
      r: 5,
      fill: ({ estimate }: (typeof estimates)[number]) => (isResolved(estimate) ? ink : paper),
      stroke: ({ estimate }: (typeof estimates)[number]) => (isResolved(estimate) ? paper : ink),
      strokeWidth: 1.5,
      title: ({ row, estimate }: (typeof estimates)[number]) => `${row.label}: ${describe(estimate, decimals)}`,
    }),
    Plot.dot([reference.row.label], {
      y: (text: string) => text,
      x: () => 0,
      r: 5,
      fill: accent,
      stroke: paper,
      strokeWidth: 1.5,
      title: (text: string) => `${text}: the reference`,
    }),
  ]);
}

const tickStyle = {
  x: 'value',
  y: 'label',
  stroke: faint,
  strokeOpacity: 0.55,
  strokeWidth: 1,
  insetTop: 9,
  insetBottom: 9,
  title: 'title',
} as const;
const intervalStyle = { y: 'label', x1: 'low', x2: 'high', stroke: ink, strokeWidth: 2 } as const;

function intervals(
  rows: readonly {
    readonly row: RowSummary;
    readonly estimate: { readonly mean: number; readonly ci95: number | null };
  }[],
) {
  return rows.flatMap(({ row, estimate: { mean, ci95 } }) =>
    ci95 === null ? [] : [{ label: row.label, low: mean - ci95, high: mean + ci95 }],
  );
}

const scoresOf = (row: RowSummary, metric: IndexMetric): readonly (number | null)[] =>
  row.metrics.get(metric.id)?.perImage ?? [];

/** A label for an axis, cut in the middle where it is long: labels of a sweep begin alike and differ at the end. */
const shorten = (label: string): string =>
  label.length > longestLabel ? `${label.slice(0, longestLabel / 2 - 1)}…${label.slice(-longestLabel / 2)}` : label;

function figure(scored: readonly ScoredRow[], label: string, marks: Plot.Markish[]): Html {
  const labels = scored.map(({ row }) => row.label);
  const longest = Math.max(...labels.map((text) => shorten(text).length));
  return plotFigure(label, label, {
    width,
    height: 30 + rowHeight * labels.length,
    marginLeft: 20 + 7 * longest,
    marginRight: 18,
    marginTop: 6,
    marginBottom: 22,
    x: { axis: null, insetLeft: 8, insetRight: 8, nice: false },
    y: { axis: null, domain: labels, type: 'band', padding: 0 },
    marks: [
      Plot.axisX({ anchor: 'bottom', ticks: 6, tickSize: 0, label: null, fontSize: 12, fill: faint }),
      Plot.gridX({ ticks: 6, stroke: 'var(--line)', strokeOpacity: 1 }),
      Plot.axisY({ tickSize: 0, tickPadding: 12, tickFormat: shorten, label: null, fontSize: 13 }),
      ...marks,
    ],
  });
}

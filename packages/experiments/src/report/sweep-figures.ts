import * as Plot from '@observablehq/plot';
import { printed } from '../results/numbers.ts';
import type { Estimate } from '../results/compare-rows.ts';
import type { RowSummary } from '../results/summary.ts';
import type { IndexMetric } from '../run/run-index.ts';
import { html, type Html } from './html.ts';
import { colourOf, legend, strokeOf } from './lines.ts';
import { faint, paper, plotFigure, spans } from './plot.ts';
import type { ReportRows } from './problems.ts';

const { short } = printed;

type Point = {
  readonly line: string;
  readonly value: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
};
type Swept = RowSummary & { readonly sweep: NonNullable<RowSummary['sweep']> };

/**
 * The line of a figure that a row belongs to: its label, with the values of the options that are swept beside the one
 * of the figure.
 */
const lineOf = ({ sweep }: Swept, option: string): string =>
  [
    sweep.label,
    ...Object.entries(sweep.values)
      .filter(([name]) => name !== option)
      .map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`),
  ].join(' ');

const pointsOf = (
  rows: readonly Swept[],
  option: string,
  estimateOf: (row: RowSummary) => Estimate | undefined,
): readonly Point[] =>
  rows.flatMap((row): Point[] => {
    const value = row.sweep.values[option];
    const estimate = estimateOf(row);
    if (typeof value !== 'number' || estimate === undefined) return [];
    const { mean, ci95 } = estimate;
    return [{ line: lineOf(row, option), value, mean, low: mean - (ci95 ?? 0), high: mean + (ci95 ?? 0) }];
  });

type Level = { readonly text: string; readonly mean: number };

function sweepFigure(
  option: string,
  title: string,
  points: readonly Point[],
  levels: readonly Level[],
  logY: boolean,
): Html | null {
  if (new Set(points.map(({ value }) => value)).size < 2) return null;
  const lines = [...new Set(points.map(({ line }) => line))];
  const color = ({ line }: Point): string => colourOf(lines.indexOf(line));
  const label = `${title} against ${option}`;
  const last = Math.max(...points.map(({ value }) => value));
  return plotFigure(
    label,
    label,
    {
      width: 560,
      height: 250,
      marginLeft: 48,
      marginRight: 18,
      marginTop: 14,
      marginBottom: 34,
      x: {
        type: spans(
          points.map(({ value }) => value),
          10,
        )
          ? 'log'
          : 'linear',
        label: option,
        labelArrow: 'none',
        tickSize: 0,
        ticks: 6,
        tickFormat: short,
      },
      y: { type: logY ? 'log' : 'linear', label: null, tickSize: 0, ticks: 5, tickFormat: short, nice: true },
      marks: [
        Plot.gridY({ ticks: 5, stroke: 'var(--line)', strokeOpacity: 1 }),
        Plot.ruleY(levels, { y: 'mean', stroke: faint, strokeDasharray: '4 3' }),
        Plot.text(levels, {
          x: () => last,
          y: 'mean',
          text: 'text',
          textAnchor: 'end',
          dy: -7,
          fill: faint,
          fontSize: 12,
        }),
        Plot.areaY(points, { x: 'value', y1: 'low', y2: 'high', z: 'line', fill: color, fillOpacity: 0.14 }),
        ...lines.map((line, style) =>
          Plot.lineY(
            points.filter((point) => point.line === line),
            { x: 'value', y: 'mean', ...strokeOf(style), strokeWidth: 1.9 },
          ),
        ),
        Plot.dot(points, {
          x: 'value',
          y: 'mean',
          r: 3.5,
          fill: color,
          stroke: paper,
          strokeWidth: 1,
          title: ({ line, value, mean, high }: Point) =>
            `${line}, ${option} ${short(value)}: ${short(mean)} ± ${short(high - mean)}`,
        }),
      ],
    },
    legend(lines.map((name, style) => ({ name, style }))),
  );
}

/** The most rows without a sweep that are drawn, as levels across the figure; more would hide it. */
const MOST_LEVELS = 4;

/**
 * The figures of a sweep: quality against the option, and beside it the misfit of the data, where 1 is the level of the
 * noise. One pair of figures for each numeric option; what is swept beside it makes lines.
 */
export function sweepFigures({ rows }: ReportRows, metrics: readonly IndexMetric[]): Html | null {
  const swept = rows.filter((row): row is Swept => row.sweep !== undefined);
  const others = rows.filter(({ sweep }) => sweep === undefined);
  const options = [
    ...new Set(
      swept.flatMap(({ sweep }) =>
        Object.entries(sweep.values).flatMap(([name, value]) => (typeof value === 'number' ? [name] : [])),
      ),
    ),
  ];
  const levelsOf = (metric: IndexMetric): readonly Level[] => {
    const levels = others.flatMap(({ label, metrics: scores }) => {
      const score = scores.get(metric.id);
      return score ? [{ text: label, mean: score.mean }] : [];
    });
    return levels.length > MOST_LEVELS ? [] : levels;
  };
  const figures = options
    .flatMap((option) => {
      const misfits = pointsOf(swept, option, ({ misfit }) => misfit).map((point) => ({
        ...point,
        low: Math.max(point.low, point.mean / 2),
      }));
      return [
        ...metrics.map((metric) =>
          sweepFigure(
            option,
            `${metric.title}${metric.unit ? ` (${metric.unit})` : ''}`,
            pointsOf(swept, option, ({ metrics: scores }) => scores.get(metric.id)),
            levelsOf(metric),
            false,
          ),
        ),
        sweepFigure(
          option,
          'misfit',
          misfits,
          [{ text: 'noise', mean: 1 }],
          spans(
            misfits.map(({ mean }) => mean),
            20,
          ),
        ),
      ];
    })
    .filter((figure) => figure !== null);
  return figures.length === 0 ? null : html`<div class="figures">${figures}</div>`;
}

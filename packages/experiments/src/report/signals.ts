import * as Plot from '@observablehq/plot';
import type { ReportData, ReportSignal } from './data.ts';
import { html, type Html } from './html.ts';
import { accent, faint, ink, plotFigure } from './plot.ts';
import { problemTitle, type ReportRows } from './problems.ts';

type Problem = ReportSignal['problems'][number];

/** The points of a signal as drawn: one of fewer entries is spread over the same width. */
const points = (values: readonly number[], width: number): { x: number; y: number }[] =>
  values.map((y, i) => ({ x: ((i + 0.5) * width) / values.length - 0.5, y }));

/** What diverges leaves the picture: the scale is that of the signal, and that of all samples where none is known. */
const scaleOf = ({ truth }: ReportSignal, { measurement, results }: Problem): readonly [low: number, high: number] => {
  const seen = truth ? [...truth, ...(measurement ?? [])] : results.flatMap((each) => each.samples.flat());
  return [seen.reduce((a, b) => Math.min(a, b), Infinity), seen.reduce((a, b) => Math.max(a, b), -Infinity)];
};

function signalFigure(
  { truth, name }: ReportSignal,
  { measurement }: Problem,
  { label, samples }: Problem['results'][number],
  [low, high]: readonly [low: number, high: number],
): Html {
  const margin = 0.25 * (high - low) || 1;
  const width = (truth ?? samples[0] ?? []).length;
  const line = { x: 'x', y: 'y', clip: true } as const;
  return plotFigure(label, `${name}, ${label}`, {
    width: 300,
    height: 150,
    marginLeft: 30,
    marginRight: 6,
    marginTop: 6,
    marginBottom: 20,
    x: { label: null, ticks: 4, tickSize: 0 },
    y: { label: null, ticks: 4, tickSize: 0, domain: [low - margin, high + margin] },
    marks: [
      Plot.gridY({ ticks: 4, stroke: 'var(--line)', strokeOpacity: 1 }),
      ...(measurement
        ? [Plot.dot(points(measurement, width), { ...line, r: 1.6, fill: faint, fillOpacity: 0.8 })]
        : []),
      ...samples.map((sample) =>
        Plot.lineY(points(sample, width), {
          ...line,
          stroke: accent,
          strokeOpacity: samples.length > 1 ? 0.7 : 1,
          strokeWidth: 1.4,
        }),
      ),
      ...(truth ? [Plot.lineY(points(truth, width), { ...line, stroke: ink, strokeWidth: 1.2 })] : []),
    ],
  });
}

/** Each method on each signal of one problem, a signal a line. */
export function signalFigures({ operator, sigmaY, rows }: ReportRows, { signals = [] }: ReportData): Html | null {
  const shown = signals.flatMap((signal) =>
    signal.problems.flatMap((problem) =>
      problem.operator === operator && problem.sigmaY === sigmaY ? [{ signal, problem }] : [],
    ),
  );
  if (shown.length === 0) return null;
  const figuresOf = (signal: ReportSignal, problem: Problem): readonly Html[] => {
    const scale = scaleOf(signal, problem);
    const results = new Map(problem.results.map((result) => [result.label, result]));
    return rows.flatMap(({ label }) => {
      const result = results.get(label);
      return result ? [signalFigure(signal, problem, result, scale)] : [];
    });
  };
  return html`<h3>${problemTitle({ operator, sigmaY })}</h3>
${shown.map(
  ({ signal, problem }) => html`<p class="signal-name">${signal.name}</p>
<div class="figures small">${figuresOf(signal, problem)}</div>
`,
)}`;
}

import type { ProblemRows } from '../results/problems.ts';
import type { RowSummary } from '../results/summary.ts';
import type { IndexMetric } from '../run/run-index.ts';
import { html, type Html } from './html.ts';

/** The rows of a report that belong to one problem. */
export type ReportRows = ProblemRows<RowSummary>;

/** The problem that rows share, as a heading. */
export const problemTitle = ({ operator, sigmaY }: Pick<RowSummary, 'operator' | 'sigmaY'>): Html =>
  html`${operator} <span class="sigma"><i>σ</i><sub>y</sub> = ${sigmaY}</span>`;

/** Label of the row with the best mean, which the paired differences refer to. */
export function referenceLabel(rows: readonly RowSummary[], metric: IndexMetric): string | undefined {
  const scored = rows.flatMap((row) => {
    const score = row.metrics.get(metric.id);
    return score ? [{ label: row.label, score }] : [];
  });
  return (
    scored.find(({ score }) => score.best)?.label ?? scored.find(({ score }) => score.difference)?.score.difference?.to
  );
}

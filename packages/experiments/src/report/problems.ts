import type { ReportData, ReportMetric, ReportRow } from './data.ts';
import { html, type Html } from './html.ts';

/** One measurement problem of the report: an operator at a noise level, and the rows that were run on it. */
export type ProblemRows = {
  /** Anchor inside the page. */
  readonly id: string;
  readonly operator: string;
  readonly sigmaY: number;
  readonly rows: readonly ReportRow[];
};

/** Rows by (operator, sigmaY), in order of first appearance. */
export function problemsOf({ rows }: ReportData): readonly ProblemRows[] {
  const groups = new Map<string, ReportRow[]>();
  for (const row of rows) {
    const key = JSON.stringify([row.operator, row.sigmaY]);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].flatMap((group, index) => {
    const [first] = group;
    return first ? [{ id: `problem-${index + 1}`, operator: first.operator, sigmaY: first.sigmaY, rows: group }] : [];
  });
}

export const problemTitle = ({ operator, sigmaY }: Pick<ProblemRows, 'operator' | 'sigmaY'>): Html =>
  html`${operator} <span class="sigma"><i>σ</i><sub>y</sub> = ${sigmaY}</span>`;

/** Label of the row with the best mean, which the paired differences refer to. */
export function referenceLabel(rows: readonly ReportRow[], metric: ReportMetric): string | undefined {
  const scored = rows.flatMap((row) => {
    const score = row.metrics[metric.id];
    return score ? [{ label: row.label, score }] : [];
  });
  return scored.find(({ score }) => score.best)?.label ?? scored.find(({ score }) => score.difference)?.score.difference?.to;
}

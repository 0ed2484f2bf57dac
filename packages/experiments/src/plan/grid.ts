import type { PlannedRow } from './rows.ts';

/** A line of the plan's table: a method's row of each problem. */
export type GridLine = { readonly label: string; readonly rows: readonly (PlannedRow | undefined)[] };

/** Planned rows as a grid, methods down and problems across; each row is looked at once, however many there are. */
export const gridOf = (
  labels: readonly string[],
  problems: readonly { readonly rows: readonly PlannedRow[] }[],
): readonly GridLine[] => {
  const columns = problems.map(({ rows }) => new Map(rows.map((row) => [row.method.reference.label, row])));
  return labels.map((label) => ({ label, rows: columns.map((column) => column.get(label)) }));
};

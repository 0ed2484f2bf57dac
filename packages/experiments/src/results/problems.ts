import type { IndexRow } from '../run/run-index.ts';

/** A measurement problem, an operator at a noise level, with the rows that belong to it. */
export type ProblemRows<T> = Pick<IndexRow, 'operator' | 'sigmaY'> & { readonly rows: readonly T[] };

/** Rows by problem, in the order in which problems first appear. Rows of one problem make one table. */
export const problemsOf = <T extends Pick<IndexRow, 'operator' | 'sigmaY'>>(
  rows: readonly T[],
): readonly ProblemRows<T>[] => {
  const problems = new Map<string, ProblemRows<T> & { readonly rows: T[] }>();
  for (const row of rows) {
    const { operator, sigmaY } = row;
    const key = `${operator}\n${sigmaY}`;
    const problem = problems.get(key) ?? { operator, sigmaY, rows: [] };
    problems.set(key, problem);
    problem.rows.push(row);
  }
  return [...problems.values()];
};

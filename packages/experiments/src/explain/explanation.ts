import type { ExplainedRow } from './row.ts';

/** What `tweedie explain --json` prints, and table and page are made of. */
export type ExplanationJson = {
  readonly title: string;
  readonly command: string;
  readonly images: readonly string[];
  /** Samples of each image. */
  readonly samples: number;
  readonly rows: readonly ExplainedRow[];
  /** Rows that cannot run. */
  readonly skipped: readonly { readonly operator: string; readonly sigmaY: number; readonly label: string; readonly reason: string }[];
};

import type { ExplainedRow } from './row.ts';

/** An explanation as `tweedie explain --json` prints it; table and page are made of it. */
export type ExplanationJson = {
  readonly title: string;
  readonly command: string;
  readonly images: readonly string[];
  /** Samples of each image. */
  readonly samples: number;
  readonly rows: readonly ExplainedRow[];
  /** Rows that cannot run. */
  readonly skipped: readonly {
    readonly operator: string;
    readonly sigmaY: number;
    readonly label: string;
    readonly reason: string;
  }[];
};

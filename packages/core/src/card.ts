/** A file of a checkpoint, by its name in the checkpoint's folder of the cache. */
export type CardFile = {
  readonly name: string;
  /** Absent where only a page offers it, to a person. */
  readonly url?: string;
  readonly bytes?: number;
  readonly sha256?: string;
};

/** What is known of weights that others publish (`schemas/card.schema.json` describes every key). */
export type Card = {
  readonly id: string;
  readonly title: string;
  /** Where the authors publish it. */
  readonly page: string;
  readonly files: readonly CardFile[];
  readonly licence: string;
  readonly commercial: 'allowed' | 'forbidden' | 'unknown';
  readonly note?: string;
  readonly source: { readonly arxiv?: string; readonly url?: string; readonly where?: string; readonly bibtex: string };
  readonly range: readonly [low: number, high: number];
  readonly schedule: string;
  readonly classes?: number;
  /** Options of the plugin that reads it. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly tells?: Readonly<Record<string, unknown>>;
};

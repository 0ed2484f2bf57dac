import type { RunIndex } from '../run/run-index.ts';
import type { RowSummary } from './summary.ts';

const percent = (share: number): string => (share < 0.0005 ? 'below 0.1 %' : `${(100 * share).toFixed(1)} %`);

/** How much was clipped; nothing where nothing was. */
const clipped = (rows: readonly Pick<RowSummary, 'label' | 'outside'>[]): string => {
  const shares = rows.flatMap(({ label, outside }) => (outside === undefined ? [] : [{ label, outside }]));
  const [most] = [...shares].sort((a, b) => b.outside - a.outside);
  if (most === undefined || most.outside === 0) return '';
  const mean = shares.reduce((sum, { outside }) => sum + outside, 0) / shares.length;
  return ` (${percent(mean)} of the entries of the samples${shares.length > 1 ? `, most by ${most.label}: ${percent(most.outside)}` : ''})`;
};

/** What each metric took as full scale and how much it clipped, a sentence for those that agree. */
export const scaleNotes = (
  { metrics, range }: Pick<RunIndex, 'metrics' | 'range'>,
  rows: readonly Pick<RowSummary, 'label' | 'outside'>[],
): readonly string[] => {
  const scales = new Set(metrics.flatMap(({ scale }) => scale ?? []));
  return [...scales].map((scale) => {
    const names = metrics.flatMap(({ id, scale: own }) => (own === scale ? [id] : []));
    return `${names.join(', ')}: ${scale}${range ? clipped(rows) : ''}.`;
  });
};

/** Every measure of every row and image as a line of `measures.csv`: in long form, so that one query picks one. */
import { join } from 'node:path';
import { writeWhole } from '@tweedie/files';
import { measures } from '../statistics/measures.ts';
import type { RunIndex } from '../run/run-index.ts';
import type { RowSummary } from '../results/summary.ts';
import { OTHER_OUT } from './place.ts';

const field = (value: string | number): string => {
  const text = String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

const COLUMNS = ['operator', 'sigma_y', 'label', 'image', 'measure', 'value', 'iid_mean', 'iid_low', 'iid_high'];

/** Writes `measures.csv` where a row has measures; gives its path. `iid_*` are of the table, not of the image. */
export const exportMeasures = (index: RunIndex, rows: readonly RowSummary[], folder: string): readonly string[] => {
  const lines = rows.flatMap((row) =>
    measures.flatMap(({ id }) => {
      const summary = row.measures?.get(id);
      const { mean = '', low = '', high = '' } = summary?.floor ?? {};
      return (summary?.perImage ?? []).flatMap((value, i) =>
        value === null
          ? []
          : [
              [row.operator, row.sigmaY, row.label, index.images[i] ?? '', id, value, mean, low, high]
                .map(field)
                .join(','),
            ],
      );
    }),
  );
  if (lines.length === 0) return [];
  const path = join(folder, 'measures.csv');
  writeWhole(path, `${[COLUMNS.join(','), ...lines].join('\n')}\n`, OTHER_OUT);
  return [path];
};

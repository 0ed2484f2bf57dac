import { at } from '@tweedie/core';

const GAP = '  ';

/** Columns under each other: the first on the left, the others on the right. */
export const textTable = (header: readonly string[], rows: readonly (readonly string[])[], indent = '  '): string => {
  const all = [header, ...rows];
  const cell = (row: readonly string[], column: number): string => at(row, column, 'cell of a row');
  const widths = header.map((_, column) => Math.max(...all.map((row) => cell(row, column).length)));
  const line = (row: readonly string[]): string => {
    const cells = widths.map((width, column) =>
      column === 0 ? cell(row, 0).padEnd(width) : cell(row, column).padStart(width),
    );
    return indent + cells.join(GAP).trimEnd();
  };
  const rule = indent + '-'.repeat(widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length));
  return [line(header), rule, ...rows.map(line)].join('\n');
};

/** `1 image`, `2 images`. */
export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

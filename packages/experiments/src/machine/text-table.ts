const GAP = '  ';

/** Columns under each other: the first on the left, the others on the right. */
export const textTable = (header: readonly string[], rows: readonly (readonly string[])[], indent = '  '): string => {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    indent + widths.map((width, column) => (column === 0 ? (row[column] ?? '').padEnd(width) : (row[column] ?? '').padStart(width))).join(GAP).trimEnd();
  const rule = indent + '-'.repeat(widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length));
  return [line(header), rule, ...rows.map(line)].join('\n');
};

/** `1 image`, `2 images`. */
export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

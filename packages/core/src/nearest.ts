/** Edits that turn `a` into `b`: insert, delete or replace a letter, swap two neighbours. */
const editDistance = (a: string, b: string): number => {
  let previous: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const before = previous;
    previous = row;
    row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (before[j - 2] ?? 0) + 1 : Infinity;
      row.push(Math.min(replaced, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, swapped));
    }
  }
  return row[b.length] ?? 0;
};

/** The (at most three) names that may well be meant by `name`, nearest first. */
export const nearest = (name: string, names: readonly string[]): readonly string[] => {
  const wanted = name.toLowerCase();
  const distance = (other: string): number => {
    const edits = editDistance(wanted, other.toLowerCase());
    const contained = wanted.length > 2 && other.length > 2 && (other.includes(wanted) || wanted.includes(other));
    return contained ? Math.min(edits, 1.5) : edits;
  };
  return names
    .map((other) => ({ other, edits: distance(other) }))
    .filter(({ other, edits }) => edits <= Math.max(1.5, Math.max(name.length, other.length) / 3))
    .sort((a, b) => a.edits - b.edits)
    .slice(0, 3)
    .map(({ other }) => other);
};

/** What to do about an unknown name: the nearest valid ones or, where none is near, all of them. */
export const suggest = (name: string, names: readonly string[]): string => {
  const near = nearest(name, names);
  if (near.length > 0) return `Did you mean ${near.map((other) => JSON.stringify(other)).join(' or ')}?`;
  return names.length === 0 ? 'There are none.' : `Valid: ${names.join(', ')}.`;
};

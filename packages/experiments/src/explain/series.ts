/** A mean per step; null where the quantity does not exist. */
export type StepSeries = readonly (number | null)[];

export type SeriesCollector = {
  /** Adds the value of another sample at a step; what is not a finite number is left out of the mean. */
  add(name: string, at: number, value: number | undefined): void;
  /** The means by name; a series without any value is left out. */
  means(): Readonly<Record<string, StepSeries>>;
};

/** Collects values into means by name and step. */
export const seriesCollector = (steps: number): SeriesCollector => {
  const all = new Map<string, { readonly sum: Float64Array; readonly count: Float64Array }>();
  return {
    add(name, at, value) {
      if (value === undefined || !Number.isFinite(value)) return;
      const { sum, count } = all.get(name) ?? { sum: new Float64Array(steps), count: new Float64Array(steps) };
      all.set(name, { sum, count });
      sum[at] = (sum[at] ?? 0) + value;
      count[at] = (count[at] ?? 0) + 1;
    },
    means: () =>
      Object.fromEntries(
        [...all].map(([name, { sum, count }]) => [
          name,
          Array.from(sum, (total, i) => (count[i] ? total / count[i] : null)),
        ]),
      ),
  };
};

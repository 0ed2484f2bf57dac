/** One thing that a kit asks of a subject. */
export type Check<S> = {
  readonly name: string;
  /** Says whether the check applies: an operator without a spectral form is not asked about one. */
  readonly applies?: (subject: S) => boolean;
  /** Throws an Error whose message is a sentence with the numbers and the likely cause. */
  readonly run: (subject: S) => void | Promise<void>;
};

export type CheckFailure = { readonly name: string; readonly message: string };

/** The checks that a subject fails, outside any test: what a kit's own tests look at. */
export async function failuresOf<S>(checks: readonly Check<S>[], subject: S): Promise<CheckFailure[]> {
  const failures: CheckFailure[] = [];
  for (const { name, applies, run } of checks) {
    if (applies?.(subject) === false) continue;
    try {
      await run(subject);
    } catch (error) {
      failures.push({ name, message: error instanceof Error ? error.message : String(error) });
    }
  }
  return failures;
}

/** Throws unless `holds`; the message is made only then. */
export function ensure(holds: boolean, message: () => string): void {
  if (!holds) throw new Error(message());
}

/** A number in three significant digits: 0.13, 1.2e-7. */
export const short = (value: number): string => Number(value.toPrecision(3)).toString();

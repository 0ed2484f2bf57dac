/** Numbers as readers see them: one set of rounding rules, in the characters of a terminal or of a printed page. */

/** A number with so many significant digits. */
export const rounded = (value: number, digits = 3): number => Number(value.toPrecision(digits));

type Characters = {
  readonly minus: string;
  /** Stands between thousands. */
  readonly thousands: string;
  /** Stands before a signed number that rounds to zero and is not negative. */
  readonly zeroSign: string;
};

const numbersIn = ({ minus, thousands, zeroSign }: Characters) => {
  const withMinus = (text: string): string => text.replace('-', minus);
  const grouped = (whole: string): string => whole.replace(/\B(?=(\d{3})+$)/g, thousands);
  const fixed = (value: number, decimals: number): string => withMinus(value.toFixed(decimals));
  const signed = (value: number, decimals: number): string => {
    const sign = Number(value.toFixed(decimals)) === 0 ? zeroSign : '+';
    return `${value >= 0 ? sign : ''}${fixed(value, decimals)}`;
  };
  return {
    /** Fixed decimals. */
    fixed,
    /** Fixed decimals after a sign. */
    signed,
    /**
     * Three significant digits at most, far below 1 with a power of ten: noise levels, standard deviations, values of
     * options.
     */
    short(value: number): string {
      if (value === 0 || !Number.isFinite(value)) return String(value);
      const magnitude = Math.floor(Math.log10(Math.abs(value)));
      return withMinus(magnitude < -4 ? value.toExponential(1) : String(rounded(value)));
    },
    /** A whole number whole, with its thousands apart; any other with `digits` significant digits. */
    amount: (value: number, digits = 3): string =>
      withMinus(Number.isInteger(value) ? grouped(String(value)) : String(rounded(value, digits))),
    /** A count that may be a mean: whole where it is whole, else with one decimal; thousands apart. */
    count(value: number): string {
      const [whole = '', fraction] = value.toFixed(Number.isInteger(value) ? 0 : 1).split('.');
      return withMinus(fraction === undefined ? grouped(whole) : `${grouped(whole)}.${fraction}`);
    },
    /** A mean with the half width of its interval, where it has one. */
    estimate: (
      { mean, ci95 }: { readonly mean: number; readonly ci95: number | null },
      decimals: number,
      write: typeof fixed = fixed,
    ): string => `${write(mean, decimals)}${ci95 === null ? '' : ` ± ${fixed(ci95, decimals)}`}`,
  };
};

/** Numbers for a terminal. */
export const plain = numbersIn({ minus: '-', thousands: ',', zeroSign: '+' });
/** Numbers for a page: a true minus sign, thin spaces between thousands, no sign before what rounds to zero. */
export const printed = numbersIn({ minus: '\u2212', thousands: '\u2009', zeroSign: '' });

/** Decimals of the scores in one column of a terminal's table: three where all are small, else two. */
export const columnDecimals = (values: readonly number[]): number =>
  values.every((value) => Math.abs(value) < 2) ? 3 : 2;

/** Decimals that give the largest of some durations three significant digits. */
export const durationDecimals = (seconds: readonly number[]): number => {
  const longest = Math.max(0, ...seconds);
  return longest > 0 ? Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(longest)))) : 2;
};

/**
 * Decimals that show the typical (median) half width with two significant digits; where there is none, about four of
 * the scores.
 */
export const decimalsFor = (halfWidths: readonly number[], scores: readonly number[]): number => {
  const widths = halfWidths.filter((width) => width > 0).sort((a, b) => a - b);
  const width = widths[Math.floor(widths.length / 2)];
  const size = width ?? Math.max(...scores.map(Math.abs), 0) / 100;
  return size > 0 ? Math.max(0, Math.min(6, 1 - Math.floor(Math.log10(size)))) : 2;
};

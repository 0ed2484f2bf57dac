const minus = (text: string): string => text.replace('-', '\u2212');

/** Fixed decimals, with a true minus sign. */
export const fixed = (value: number, decimals: number): string => minus(value.toFixed(decimals));

/** As `fixed`, always with a sign; nothing in front of a zero. */
export function signed(value: number, decimals: number): string {
  const text = fixed(value, decimals);
  return value > 0 && Number(value.toFixed(decimals)) !== 0 ? `+${text}` : text;
}

/** Three significant digits at most: noise levels, standard deviations. */
export function short(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const magnitude = Math.floor(Math.log10(Math.abs(value)));
  return magnitude < -4 ? minus(value.toExponential(1)) : minus(String(Number(value.toPrecision(3))));
}

/** A count that may be a mean: whole where it is whole, with thin spaces between thousands. */
export function count(value: number): string {
  const [whole = '', fraction] = value.toFixed(Number.isInteger(value) ? 0 : 1).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, '\u2009');
  return minus(fraction === undefined ? grouped : `${grouped}.${fraction}`);
}

/** Decimals that give the largest of some durations three significant digits. */
export function durationDecimals(seconds: readonly number[]): number {
  const longest = Math.max(0, ...seconds);
  return longest > 0 ? Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(longest)))) : 2;
}

/** Decimals that show the typical (median) half width with two significant digits; where there is none, about four of the scores. */
export function decimalsFor(halfWidths: readonly number[], scores: readonly number[]): number {
  const widths = halfWidths.filter((width) => width > 0).sort((a, b) => a - b);
  const width = widths[Math.floor(widths.length / 2)];
  const size = width ?? Math.max(...scores.map(Math.abs), 0) / 100;
  return size > 0 ? Math.max(0, Math.min(6, 1 - Math.floor(Math.log10(size)))) : 2;
}

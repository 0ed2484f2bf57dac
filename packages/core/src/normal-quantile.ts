/**
 * The quantile of the standard normal distribution at p in (0, 1), to 1e-7 relative: enough for float32, and several
 * times faster than drawing by Box and Muller. Wichura 1988, "Algorithm AS 241", Applied Statistics 37, routine PPND7:
 * a rational function of degree 3 in the middle, two of sqrt(-ln p) in the tails.
 */
export function normalQuantile(p: number): number {
  const q = p - 0.5;
  if (q >= -0.425 && q <= 0.425) {
    const r = 0.180625 - q * q;
    return (
      (q * (((59.10937472 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179)) /
      (((67.1875636 * r + 78.757757664) * r + 17.895169469) * r + 1)
    );
  }
  const tail = Math.sqrt(-Math.log(q < 0 ? p : 1 - p));
  let size: number;
  if (tail <= 5) {
    const r = tail - 1.6;
    size =
      (((0.17023821103 * r + 1.3067284816) * r + 2.75681539) * r + 1.4234372777) /
      ((0.12021132975 * r + 0.7370016425) * r + 1);
  } else {
    const r = tail - 5;
    size =
      (((0.017337203997 * r + 0.42868294337) * r + 3.081226386) * r + 6.657905115) /
      ((0.012258202635 * r + 0.24197894225) * r + 1);
  }
  return q < 0 ? -size : size;
}

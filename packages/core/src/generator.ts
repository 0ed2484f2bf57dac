import { normalQuantile } from './normal-quantile.ts';

/** The bytes of `generator.wat`, assembled, in base64. */
export const assembled =
  'AGFzbQEAAAABDwJgB39/f39/f38AYAF/AAMDAgABBQMBAAIHHQMGbWVtb3J5AgAGcGhpbG94AAAHbm9ybWFscwABCqMFAoMEAgR/C3tB077Ekn39ESEMQdea+ux8/REhDSAA/RH9DAAAAAABAAAAAgAAAAMAAAD9' +
  'rgEhCwNAIAshDiAC/REhDyAD/REhECAE/REhESAFIQkgBiEKQQohCANAIA4gDP3eASESIA4gDP3fASETIBAgDf3eASEUIBAgDf3fASEVIBQgFf0NBAUGBwwNDg8UFRYXHB0eHyAP/VEgCf0R/VEhDiASIBP9DQQF' +
  'BgcMDQ4PFBUWFxwdHh8gEf1RIAr9Ef1RIRAgFCAV/Q0AAQIDCAkKCxAREhMYGRobIQ8gEiAT/Q0AAQIDCAkKCxAREhMYGRobIREgCUG5893xeWohCSAKQYXdntt7aiEKIAhBAWsiCA0ACyAOIA/9DQABAgMQERIT' +
  'BAUGBxQVFhchEiAOIA/9DQgJCgsYGRobDA0ODxwdHh8hEyAQIBH9DQABAgMQERITBAUGBxQVFhchFCAQIBH9DQgJCgsYGRobDA0ODxwdHh8hFSAHIBIgFP0NAAECAwQFBgcQERITFBUWF/0LBAAgByASIBT9DQgJ' +
  'CgsMDQ4PGBkaGxwdHh/9CwQQIAcgEyAV/Q0AAQIDBAUGBxAREhMUFRYX/QsEICAHIBMgFf0NCAkKCwwNDg8YGRobHB0eH/0LBDAgB0HAAGohByALQQT9Ef2uASELIAFBBGsiAUEASg0ACwubAQIFfwF8IABBAnQh' +
  'AgNAIAEoAgAhAyADQR91IQQgAyAEc0EBdEEBciEDIANnIQUgAyAFdCEDIAVBBHQgA0EbdkEPcWpBBXQhBSADQf///z9xtyEGIAEgBEGAgICAeHEgBSsDmIAEIAaiIAUrA5CABKAgBqIgBSsDiIAEoCAGoiAFKwOA' +
  'gASgtrxzvjgCACABQQRqIgEgAkkNAAsL';
/** The part of the global WebAssembly that is used here; TypeScript has its types only beside those of a browser. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { readonly exports: unknown };
};

const generator = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(assembled, 'base64'))).exports as {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly philox: (first: number, blocks: number, c1: number, c2: number, c3: number, k0: number, k1: number) => void;
  readonly normals: (count: number) => void;
};
/** The bytes of the generator's memory that hold words; the table comes after them. */
const PAGE = 65536;
const words = new Uint32Array(generator.memory.buffer, 0, PAGE / 4);
const numbers = new Float32Array(generator.memory.buffer, 0, PAGE / 4);
fillTable(new Float64Array(generator.memory.buffer, PAGE));

/** The most words that one call of `philox` gives. */
export const WORDS = words.length;

/** Key and counter of the first block of four words; the blocks after it have c0 + 1, c0 + 2, ... */
export type Position = {
  readonly k0: number;
  readonly k1: number;
  readonly c0: number;
  readonly c1: number;
  readonly c2: number;
  readonly c3: number;
};

/**
 * Philox 4x32-10, a counter-based generator: four 32-bit words from a 128-bit counter and a 64-bit key, no state.
 * Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 3.3; the constants are those of the
 * Random123 library. Gives `count` words, 1 to WORDS, valid until the next call.
 */
export function philox(count: number, { k0, k1, c0, c1, c2, c3 }: Position): Uint32Array {
  generator.philox(c0, (count + 3) >>> 2, c1, c2, c3, k0, k1);
  return words.subarray(0, count);
}

/**
 * Writes the same words as standard normal numbers into `target`, from `at` on: by inversion, the quantile at
 * (word + 1/2) / 2^32, to 2e-7 relative. For a handful of them a view of the memory would cost more than the numbers.
 */
export function writeNormals(target: Float32Array, at: number, count: number, position: Position): void {
  const { k0, k1, c0, c1, c2, c3 } = position;
  generator.philox(c0, (count + 3) >>> 2, c1, c2, c3, k0, k1);
  generator.normals(count);
  if (count > 64) target.set(numbers.subarray(0, count), at);
  else for (let i = 0; i < count; i++) target[at + i] = numbers[i] ?? NaN;
}

/**
 * Writes the table of cubics for the quantile of p below 1/2: 32 octaves of u = 2^33 p, from the largest down, with
 * 16 cubics each. A cubic in t, 0 to 2^27, meets the quantile at four even places.
 */
function fillTable(table: Float64Array): void {
  for (let cubic = 0; cubic < 32 * 16; cubic++) {
    const quantile = (t: number): number => normalQuantile((16 + (cubic & 15) + t) * 2 ** (-6 - (cubic >> 4)));
    const [a, b, c, d] = [quantile(0), quantile(1 / 3), quantile(2 / 3), quantile(1)];
    const coefficients = [
      a,
      -5.5 * a + 9 * b - 4.5 * c + d,
      9 * a - 22.5 * b + 18 * c - 4.5 * d,
      -4.5 * a + 13.5 * b - 13.5 * c + 4.5 * d,
    ];
    table.set(
      coefficients.map((value, degree) => value * 2 ** (-27 * degree)),
      4 * cubic,
    );
  }
}

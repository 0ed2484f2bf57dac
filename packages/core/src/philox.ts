/** `philox.wat`, assembled. */
export const assembled =
  'AGFzbQEAAAABCwFgB39/f39/f38AAwIBAAUDAQABBxECBm1lbW9yeQIABGZpbGwAAArHAQHEAQYEfwF+AX8BfgF/An4DQCAArSELIAIhDCADrSENIAQhDiAFIQkgBiEKQQohCANAIAtC077Ekg1+IQ' +
  '8gDULXmvrsDH4hECAQQiCIpyAMcyAJc60hCyAPQiCIpyAOcyAKc60hDSAQpyEMIA+nIQ4gCUG5893xeWohCSAKQYXdntt7aiEKIAhBAWsiCA0ACyAHIAunNgIAIAcgDDYCBCAHIA2nNgIIIAcgDjYC' +
  'DCAHQRBqIQcgAEEBaiEAIAFBAWsiAQ0ACws=';
/** What is used of the global of this name; TypeScript has its types only beside those of a browser. */
declare const WebAssembly: { Module: new (bytes: Uint8Array) => object; Instance: new (module: object) => { readonly exports: unknown } };

const { memory, fill } = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(assembled, 'base64'))).exports as {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly fill: (first: number, blocks: number, c1: number, c2: number, c3: number, k0: number, k1: number) => void;
};
const words = new Uint32Array(memory.buffer);

/** As many words as `philox` writes at most. */
export const PHILOX_WORDS = words.length;

/**
 * Philox 4x32-10, a counter-based generator: four 32-bit words from a 128-bit counter and a 64-bit key, no state.
 * Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 3.3; the constants are those of the Random123 library.
 * Gives the words of `blocks` counters (c0, c1, c2, c3), (c0 + 1, c1, c2, c3), ..., 1 to PHILOX_WORDS / 4 of them, valid until the next call.
 */
export function philox(c0: number, c1: number, c2: number, c3: number, k0: number, k1: number, blocks: number): Uint32Array {
  fill(c0, blocks, c1, c2, c3, k0, k1);
  return words;
}

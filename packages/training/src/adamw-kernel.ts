/** The inner loop of AdamW as WebAssembly: in JavaScript a step took a tenth of the time of the network's. */

/** The bytes of `adamw.wat`, assembled, in base64. */
export const assembled =
  'AGFzbQEAAAABFAJgAX8BfGALf319fX19fX19fX0AAwMCAAEFAwEABQcbAwZtZW1vcnkCAAdzcXVhcmVzAAAEc3RlcAABCtgCAnQCAX8FeyAAQQ' +
  'J0IQADQCAB/QAEACECIAL9XyEDIAIgAv0NCAkKCwwNDg8ICQoLDA0OD/1fIQQgBSADIAP98gH98AEhBSAGIAQgBP3yAf3wASEGIAFBEGoiASAA' +
  'SQ0ACyAFIAb98AEhBSAF/SEAIAX9IQGgC+ABAgF/BXsgAEECdCEAA0AgC/0ABAAgAf0T/eYBIQwgC/0ABICABCAC/RP95gEgDCAD/RP95gH95A' +
  'EhDSAL/QAEgIAIIAT9E/3mASAMIAz95gEgBf0T/eYB/eQBIQ4gC/0ABICADCAJ/RP95gEgDSAG/RP95gEgDv3jASAH/RP95gEgCP0T/eQB/ecB' +
  '/eUBIQ8gC/0ABICAECEQIAsgDf0LBICABCALIA79CwSAgAggCyAP/QsEgIAMIAsgECAPIBD95QEgCv0T/eYB/eQB/QsEgIAQIAtBEGoiCyAASQ' +
  '0ACws=';
/** The part of the global WebAssembly that is used here; TypeScript has its types only beside those of a browser. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { readonly exports: unknown };
};

const { memory, squares, step } = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(assembled, 'base64')))
  .exports as {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly squares: (count: number) => number;
  readonly step: (
    count: number,
    scale: number,
    b1: number,
    c1: number,
    b2: number,
    c2: number,
    step: number,
    unbias: number,
    epsilon: number,
    shrink: number,
    taken: number,
  ) => void;
};

const PAGE = 65536;
/** The numbers that the kernel takes at once. */
export const NUMBERS = PAGE / Float32Array.BYTES_PER_ELEMENT;
const page = (index: number): Float32Array => new Float32Array(memory.buffer, index * PAGE, NUMBERS);

/** The functions of adamw.wat, and the pages that they read and write. */
export const kernel = {
  gradients: page(0),
  first: page(1),
  second: page(2),
  weights: page(3),
  ema: page(4),
  squares,
  step,
};

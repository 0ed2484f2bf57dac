import { describe, expect, it } from 'vitest';
import { decodeNpy, encodeNpy } from '../src/index.ts';

/** What numpy.save writes of np.arange(6, dtype=np.float32).reshape(2, 3) / 4 and of np.array([1.5, -2.25]). */
const byNumpy = {
  matrix:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAACAPgAAAD8AAEA/AACAPwAAoD8=',
  vector:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAD4PwAAAAAAAALA',
};
const bytes = (name: keyof typeof byNumpy): Uint8Array => Uint8Array.from(Buffer.from(byNumpy[name], 'base64'));

describe('.npy files', () => {
  it('are read as NumPy writes them, and written as it does', () => {
    const matrix = decodeNpy(bytes('matrix'), 'matrix.npy');
    expect(matrix).toEqual({ shape: [2, 3], data: Float32Array.of(0, 0.25, 0.5, 0.75, 1, 1.25) });
    const vector = decodeNpy(bytes('vector'), 'vector.npy');
    expect(vector).toEqual({ shape: [2], data: Float64Array.of(1.5, -2.25) });
    for (const [name, array] of [
      ['matrix', matrix],
      ['vector', vector],
    ] as const) {
      const own = encodeNpy(array);
      expect(own.length).toBe(bytes(name).length);
      expect(decodeNpy(own, 'own.npy')).toEqual(array);
    }
  });

  it('that are damaged or hold something else are refused', () => {
    const refusal = (change: (text: string) => string): string => {
      try {
        decodeNpy(Buffer.from(change(Buffer.from(bytes('matrix')).toString('latin1')), 'latin1'), 'x.npy');
        return 'read';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(refusal((text) => text.slice(0, 40))).toMatch(/has a header without type or shape/);
    expect(refusal((text) => text.slice(0, -4))).toMatch(/holds 20 bytes of numbers, \[2, 3\] needs 24/);
    expect(refusal((text) => text.replace('<f4', '<i4'))).toMatch(/holds numbers of type <i4/);
    expect(refusal((text) => text.replace('False', 'True '))).toMatch(/is in Fortran order/);
    expect(refusal((text) => text.slice(1))).toMatch(/is no \.npy file/);
    expect(refusal(() => '')).toMatch(/is no \.npy file/);
  });
});

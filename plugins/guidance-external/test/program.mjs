/** Samples without any library: y where it has the size of an image, else its mean, plus noise by the sample's number. */
import { readFileSync, writeFileSync } from 'node:fs';

const [problem, out, wanted] = process.argv.slice(2);
const bytes = readFileSync(problem);
const length = Number(bytes.readBigUInt64LE(0));
const { y, x0, __metadata__: facts } = JSON.parse(bytes.toString('utf8', 8, 8 + length));
if (x0 !== undefined) throw new Error('a program must not see the truth.');
const [from, to] = y.data_offsets;
const values = new Float32Array(
  bytes.buffer.slice(bytes.byteOffset + 8 + length + from, bytes.byteOffset + 8 + length + to),
);
const shape = JSON.parse(facts.imageShape);
const size = shape.reduce((product, n) => product * n, 1);
const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
const numbers = wanted.split(',').map(Number);
const samples = Float32Array.from({ length: numbers.length * size }, (_, k) => {
  const at = k % size;
  const noise = Math.sin(12.9898 * (at + 1) + 78.233 * (numbers[Math.floor(k / size)] + 1));
  return (values.length === size ? values[at] : mean) + 0.1 * noise;
});
const dict = `{'descr': '<f4', 'fortran_order': False, 'shape': (${[numbers.length, ...shape].join(', ')}), }`;
const header = `${dict.padEnd(117)}\n`;
const head = Buffer.from(`\x93NUMPY\x01\x00${String.fromCharCode(header.length, 0)}${header}`, 'latin1');
writeFileSync(out, Buffer.concat([head, Buffer.from(samples.buffer)]));

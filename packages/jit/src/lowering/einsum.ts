/** Einsum as a matrix product, with the letters sorted into batch, rows, columns and those summed over. */
import { type Graph, sizeOf, type Value } from '../graph/graph.ts';
import { mul, reshape, transpose } from '../graph/ops.ts';
import type { Lowerings } from './lowering.ts';
import { product } from './matmul.ts';
import { sum } from './reduction.ts';

type Term = { readonly letters: string; readonly value: Value };

const refuse = (equation: string, why: string): Error =>
  new Error(`jit: einsum '${equation}' cannot be compiled: ${why}. Write it with tf.matMul and tf.transpose.`);

const lengthOf = ({ letters, value }: Term, letter: string): number => value.shape[letters.indexOf(letter)] ?? 1;

/** Sums a term over the letters that neither another term nor the result has. */
function reduced(g: Graph, term: Term, keep: (letter: string) => boolean): Term {
  const axes = [...term.letters].flatMap((letter, axis) => (keep(letter) ? [] : [axis]));
  return {
    letters: [...term.letters].filter(keep).join(''),
    value: axes.length === 0 ? term.value : sum(g, term.value, axes),
  };
}

const ordered = (g: Graph, { letters, value }: Term, order: string): Value =>
  transpose(
    g,
    value,
    [...order].map((letter) => letters.indexOf(letter)),
  );

/** The product of two terms, [batch, rows, inner] times [batch, inner, columns]. */
function contract(g: Graph, a: Term, b: Term, result: string): Term {
  const only = (from: Term, test: (letter: string) => boolean): string => [...from.letters].filter(test).join('');
  const batch = only(a, (letter) => b.letters.includes(letter) && result.includes(letter));
  const inner = only(a, (letter) => b.letters.includes(letter) && !result.includes(letter));
  const rows = only(a, (letter) => !b.letters.includes(letter));
  const columns = only(b, (letter) => !a.letters.includes(letter));
  const size = (letters: string, term: Term): number => sizeOf([...letters].map((letter) => lengthOf(term, letter)));
  const shape = [...batch, ...rows]
    .map((letter) => lengthOf(a, letter))
    .concat([...columns].map((letter) => lengthOf(b, letter)));
  const lead = batch === '' ? [] : [size(batch, a)];
  const [m, n, k] = [size(rows, a), size(columns, b), size(inner, a)];
  // In a vector times a matrix the samples, if there are any, are the columns. They become the rows.
  if (m === 1 && n > 1 && batch === '') return contract(g, b, a, result);
  const left = reshape(g, ordered(g, a, batch + rows + inner), [...lead, m, k]);
  if (m === 1 && n === 1) {
    const right = reshape(g, ordered(g, b, batch + columns + inner), [...lead, n, k]);
    return {
      letters: batch + rows + columns,
      value: reshape(g, sum(g, mul(g, left, right), [left.shape.length - 1]), shape),
    };
  }
  const right = reshape(g, ordered(g, b, batch + inner + columns), [...lead, k, n]);
  return { letters: batch + rows + columns, value: reshape(g, product(g, left, right), shape) };
}

function einsum(g: Graph, equation: string, operands: readonly Value[]): Value {
  const [terms = '', result = ''] = equation.replaceAll(' ', '').split('->');
  const all = terms.split(',').map((letters, i): Term => {
    const value = operands[i];
    if (value === undefined || value.shape.length !== letters.length)
      throw refuse(equation, `'${letters}' does not name the axes of shape [${value?.shape.join(', ') ?? ''}]`);
    if (new Set(letters).size !== letters.length) throw refuse(equation, 'a letter comes twice in one operand');
    return { letters, value };
  });
  for (const term of all) {
    for (const letter of term.letters) {
      const other = all.find((one) => one.letters.includes(letter) && lengthOf(one, letter) !== lengthOf(term, letter));
      if (other !== undefined)
        throw refuse(
          equation,
          `'${letter}' is ${lengthOf(term, letter)} in one operand and ${lengthOf(other, letter)} in another`,
        );
    }
  }
  const total = all
    .map((term, i) =>
      reduced(
        g,
        term,
        (letter) => result.includes(letter) || all.some((other, j) => j !== i && other.letters.includes(letter)),
      ),
    )
    .reduce((a, b, i) =>
      contract(
        g,
        a,
        b,
        result +
          all
            .slice(i + 1)
            .map(({ letters }) => letters)
            .join(''),
      ),
    );
  return ordered(g, total, result);
}

export const einsums: Lowerings = { Einsum: (g, _, { equation = '' }, all) => einsum(g, equation, all) };

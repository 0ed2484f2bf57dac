import {
  adjointOf,
  at,
  keyedRandom,
  sizeOf,
  type SpectralForm,
  stackTrees,
  tf,
  type Tensor,
  type TensorTree,
} from '@tweedie/core';
import { type Check, ensure, short } from './check.ts';
import {
  coefficients,
  drawnRows,
  images,
  measurements,
  type OperatorSubject,
  relativeGap,
  ROWS,
} from './operator-subject.ts';

const spectral = (
  name: string,
  run: (subject: OperatorSubject, form: SpectralForm, drawn: TensorTree) => void,
): Check<OperatorSubject> => ({
  name,
  applies: ({ operator: { svd } }) => svd !== undefined,
  run: (subject) =>
    tf.tidy(() => {
      const drawn = drawnRows(subject);
      const form = subject.operator.svd?.(drawn);
      if (form) run(subject, form, drawn);
    }),
});

const ensureEqual = (
  { tolerance }: OperatorSubject,
  left: Tensor,
  right: Tensor,
  message: (gap: string) => string,
): void => {
  const gap = relativeGap(left, right);
  ensure(gap < tolerance, () => message(short(gap)));
};

/** Checks of the spectral form A = U diag(q) V^T, as far as its three functions and q show it. */
export const operatorSpectralChecks: readonly Check<OperatorSubject>[] = [
  spectral('V is orthonormal', (subject, { toSpectral, fromSpectral, basis }) => {
    const [x, c] = [images('x', subject), coefficients('c', subject)];
    ensureEqual(
      subject,
      fromSpectral(toSpectral(x)),
      x,
      (gap) => `fromSpectral(toSpectral(x)) differs from x by ${gap} (relative): V V^T is not I.`,
    );
    ensureEqual(
      subject,
      toSpectral(fromSpectral(c)),
      c,
      (gap) =>
        `toSpectral(fromSpectral(c)) differs from c by ${gap} (relative): V^T V is not I. V is square: directions that A does not see belong to it.`,
    );
    ensureEqual(
      subject,
      toSpectral(x).square().sum(),
      x.square().sum(),
      (gap) =>
        `toSpectral changes squared norms by ${gap} (relative): it lacks a factor, as an unnormalised Fourier transform does.`,
    );
    if (basis === 'pixels')
      ensureEqual(
        subject,
        toSpectral(x),
        x.flatten().reshape(c.shape),
        (gap) => `\`basis: 'pixels'\` says that V is the identity, but toSpectral moves x by ${gap} (relative).`,
      );
  }),
  spectral('V is as fixed as `basis` says', (subject, { basis }) => {
    ensure(
      ['pixels', 'fixed', 'drawn'].includes(basis),
      () => `\`basis\` is ${JSON.stringify(basis)}; it is 'pixels', 'fixed' or 'drawn'.`,
    );
    if (basis === 'drawn') return;
    const { operator, imageShape } = subject;
    const [x, c] = [images('x', subject), coefficients('c', subject)];
    // A form of one problem, on several images, as a method uses it that rotates a prior once.
    const [first, ...others] = Array.from({ length: ROWS }, (_, row) => {
      const form = operator.svd?.(stackTrees([operator.draw(keyedRandom(`operator kit, problem ${row}`))]));
      return form === undefined ? [] : [form.toSpectral(x), form.fromSpectral(c).reshape([-1, sizeOf(imageShape)])];
    });
    for (const other of others)
      other.forEach((turned, i) =>
        ensureEqual(
          subject,
          turned,
          at(first ?? [], i, 'transform'),
          (gap) =>
            `\`basis: '${basis}'\` says that V does not depend on what is drawn, but another draw changes ${i === 0 ? 'toSpectral' : 'fromSpectral'} by ${gap} (relative). Say basis: 'drawn'.`,
        ),
      );
  }),
  spectral('singular values are not negative', (_subject, { singularValues }) => {
    const least = singularValues.min().dataSync()[0] ?? NaN;
    ensure(least >= 0, () => `the smallest singular value is ${short(least)}: its sign belongs to U.`);
  }),
  spectral('A V = U diag(q)', (subject, { toSpectral, measurementToSpectral, singularValues }, drawn) => {
    const x = images('x', subject);
    ensureEqual(
      subject,
      measurementToSpectral(subject.operator.forward(x, drawn)),
      toSpectral(x).mul(singularValues),
      (gap) =>
        `measurementToSpectral(A(x)) differs from q toSpectral(x) by ${gap} (relative): U, q and V do not belong together, or q belongs to another draw.`,
    );
  }),
  spectral('A^T = V diag(q) U^T', (subject, { fromSpectral, measurementToSpectral, singularValues }, drawn) => {
    const y = measurements('y', subject);
    ensureEqual(
      subject,
      fromSpectral(measurementToSpectral(y).mul(singularValues)),
      adjointOf(subject.operator, subject.imageShape)(y, drawn),
      (gap) => `V (q U^T y) differs from A^T y by ${gap} (relative): U^T is probably not orthonormal.`,
    );
  }),
  spectral('U^T y is zero where A sees nothing', (subject, { measurementToSpectral, singularValues }) => {
    const c = measurementToSpectral(measurements('y', subject));
    const blind = singularValues.equal(0).cast('float32');
    const most = c.mul(blind).abs().max().dataSync()[0] ?? NaN;
    ensure(
      most === 0,
      () => `measurementToSpectral gives ${short(most)} on a coordinate whose singular value is 0; it must be 0 there.`,
    );
  }),
];

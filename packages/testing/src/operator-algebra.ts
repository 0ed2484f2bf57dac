import {
  adjointOf,
  type Image,
  type Measurement,
  sampleDot,
  sampleNorm,
  sampleSum,
  type Tensor,
  tf,
  type TensorTree,
  vjp,
} from '@tweedie/core';
import { type Check, ensure, short } from './check.ts';
import { drawnRows, images, measurements, type OperatorSubject, relativeGap } from './operator-subject.ts';

/** A check of one equation, in a scope of its own. */
const equation = (
  name: string,
  applies: (operator: OperatorSubject['operator']) => boolean,
  sides: (subject: OperatorSubject, drawn: TensorTree) => readonly (readonly [left: Tensor, right: Tensor])[],
  cause: string,
): Check<OperatorSubject> => ({
  name,
  applies: ({ operator }) => applies(operator),
  run: (subject) =>
    tf.tidy(() => {
      for (const [left, right] of sides(subject, drawnRows(subject))) {
        const gap = relativeGap(left, right);
        ensure(gap < subject.tolerance, () => `the two sides differ by ${short(gap)} (relative): ${cause}`);
      }
    }),
});

/** The gradient of a sum of squares at x. */
const gradientAt = (x: Image, square: (x: Image) => Tensor): Tensor => vjp(square, x);

/** Checks of the equations that the optional members must satisfy. */
export const operatorAlgebraChecks: readonly Check<OperatorSubject>[] = [
  equation(
    'A(2 x - 3 z) = 2 A(x) - 3 A(z)',
    ({ linear }) => linear,
    (subject, drawn) => {
      const [x, z] = [images('x', subject), images('z', subject)];
      const { forward } = subject.operator;
      return [[forward(x.mul(2).sub(z.mul(3)), drawn), forward(x, drawn).mul(2).sub(forward(z, drawn).mul(3))]];
    },
    'the operator says `linear: true`, and is not. An offset belongs to y, and a clamp or a rounding makes it nonlinear.',
  ),
  {
    name: '< A x, v > = < x, A^T v >',
    applies: ({ operator: { adjoint } }) => adjoint !== undefined,
    run: (subject) =>
      tf.tidy(() => {
        const { operator } = subject;
        const [x, v, drawn] = [images('x', subject), measurements('v', subject), drawnRows(subject)];
        const forward = operator.forward(x, drawn);
        const adjoint = operator.adjoint?.(v, drawn) ?? x;
        const scale = sampleNorm(forward).mul(sampleNorm(v));
        const gaps = sampleDot(forward, v).sub(sampleDot(x, adjoint)).div(scale).abs().dataSync();
        const gap = Math.max(...gaps);
        ensure(
          gap < subject.tolerance,
          () =>
            `the adjoint gap | < A x, v > - < x, A^T v > | / (|| A x || || v ||) is ${short(gap)}: \`adjoint\` is not the transpose of \`forward\` (a flip, a border, a factor such as 1 / f^2).`,
        );
      }),
  },
  equation(
    'the adjoint is the gradient of < A x, v >',
    ({ linear, adjoint }) => linear && adjoint !== undefined,
    (subject, drawn) => {
      const { adjoint: own, ...rest } = subject.operator;
      const v = measurements('v', subject);
      return own ? [[own(v, drawn), adjointOf(rest, subject.imageShape)(v, drawn)]] : [];
    },
    '`adjoint` and the gradient that TensorFlow.js takes of `forward` disagree. One of them is wrong; the check of < A x, v > says whether it is `adjoint`.',
  ),
  equation(
    'A A^+ A = A and A^+ A A^+ = A^+',
    ({ linear, pseudoInverse }) => linear && pseudoInverse !== undefined,
    ({ operator, ...subject }, drawn) => {
      const inverse = (y: Measurement): Image =>
        operator.pseudoInverse?.(y, drawn) ?? images('x', { operator, ...subject });
      const measured = operator.forward(images('x', { operator, ...subject }), drawn);
      const image = inverse(measurements('y', { operator, ...subject }));
      const reflexive = [inverse(operator.forward(image, drawn)), image] as const;
      return subject.truncates ? [reflexive] : [[operator.forward(inverse(measured), drawn), measured], reflexive];
    },
    '`pseudoInverse` is another map, such as the adjoint without its factor.',
  ),
  equation(
    '(A A^T + ridge I) solve(y) = y',
    ({ linear, solve }) => linear && solve !== undefined,
    ({ operator, ...subject }, drawn) => {
      const y = measurements('y', { operator, ...subject });
      const adjoint = adjointOf(operator, subject.imageShape);
      return [0.01, 1].flatMap((ridge) => {
        const solution = operator.solve?.(y, tf.scalar(ridge), drawn);
        return solution
          ? [[operator.forward(adjoint(solution, drawn), drawn).add(solution.mul(ridge)), y] as const]
          : [];
      });
    },
    '`solve` is not the inverse of A A^T + ridge I. Without the member, conjugate gradients do it.',
  ),
  equation(
    'A = I where it says `identity`',
    ({ identity }) => identity === true,
    (subject, drawn) => {
      const x = images('x', subject);
      return [[subject.operator.forward(x, drawn), x]];
    },
    'methods rely on it to call the denoiser at the combined point. Leave `identity` out.',
  ),
  equation(
    '|| y - A(x) ||^2 and || P (reference - x) ||^2 have one gradient where it says `sharesGradient`',
    ({ denoisingReference }) => denoisingReference !== undefined,
    (subject, drawn) => {
      const { operator } = subject;
      const x = images('x', subject);
      const noise = measurements('noise', subject).mul(0.1);
      const y = operator.forward(images('truth', subject), drawn).add(operator.shapeNoise?.(noise, drawn) ?? noise);
      const task = operator.denoisingReference?.(y, drawn);
      if (task?.sharesGradient !== true) return [];
      return [
        [
          gradientAt(x, (at) => sampleSum(task.reference.sub(at).mul(task.mask).square())),
          gradientAt(x, (at) => sampleSum(y.sub(operator.forward(at, drawn)).square())),
        ],
      ];
    },
    'DPS-w would fit its weight on another direction than it moves along. Say `sharesGradient: false`.',
  ),
  {
    name: 'the denoising reference has unit gain',
    applies: ({ operator: { denoisingReference } }) => denoisingReference !== undefined,
    run: (subject) =>
      tf.tidy(() => {
        const { operator } = subject;
        const drawn = drawnRows(subject);
        const grey = images('x', subject).onesLike();
        const task = operator.denoisingReference?.(operator.forward(grey, drawn), drawn);
        if (task === undefined) return;
        const mask = task.mask.add(grey.zerosLike()).dataSync();
        const seen = Array.from(task.reference.dataSync())
          .filter((_, i) => (mask[i] ?? 0) > 0)
          .sort((a, b) => a - b);
        const median = seen[seen.length >> 1] ?? 1;
        ensure(
          Math.abs(median - 1) < 0.1,
          () =>
            `an image of ones measured without noise has a reference whose median is ${short(median)} where the mask is 1: y is not brought to the image space with unit gain (the adjoint of an average by f x f is 1 / f^2 too dark).`,
        );
      }),
  },
  equation(
    'measurement noise stays noise: shapeNoise(2 n) = 2 shapeNoise(n)',
    ({ shapeNoise }) => shapeNoise !== undefined,
    ({ operator, ...subject }, drawn) => {
      const n = measurements('n', { operator, ...subject });
      const shaped = operator.shapeNoise;
      return shaped ? [[shaped(n.mul(2), drawn), shaped(n, drawn).mul(2)]] : [];
    },
    '`shapeNoise` says where noise lands; it does not scale with it.',
  ),
];

/** Block averages that pass their kit, and what the kit says of them with one fault each. */
import { type Capability, type Image, type Operator, type SpectralForm, type Tensor, tf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { failuresOf, operatorChecks, testContainer } from '../src/index.ts';

const imageShape = [4, 6, 1] as const;
const container = testContainer();
const everything: readonly Capability[] = [
  'operator.linear',
  'operator.adjoint',
  'operator.pseudoInverse',
  'operator.svd',
  'operator.reference',
  'operator.gradient',
];

/** y = g * mean of the two pixels of each pair, with a gain g that is drawn: A A^T = g^2 / 2. */
const pairs = (
  change: (operator: Operator<{ readonly gain: Tensor }>) => Partial<Operator<{ readonly gain: Tensor }>> = () => ({}),
): Operator => {
  const mean = (x: Tensor): Tensor => tf.avgPool(x as Image, [1, 2], [1, 2], 'valid');
  const half = (x: Tensor): Tensor =>
    tf
      .sub(x.reshape([-1, 12, 2]).slice([0, 0, 0], [-1, -1, 1]), x.reshape([-1, 12, 2]).slice([0, 0, 1], [-1, -1, 1]))
      .reshape([-1, 12]);
  const spread = (y: Tensor): Image => tf.image.resizeNearestNeighbor(y as Image, [4, 6]);
  const root = Math.SQRT2;
  const shaped = (gain: Tensor): Tensor => gain.reshape([-1, 1, 1, 1]);
  const form = ({ gain }: { readonly gain: Tensor }): SpectralForm => ({
    basis: 'fixed',
    // Sums and differences of pairs, normalised.
    toSpectral: (x) => tf.concat([mean(x).mul(root).reshape([-1, 12]), half(x).div(root)], 1),
    fromSpectral: (c) => {
      const [sums, differences] = tf.split(c, 2, 1).map((part) => part.div(root)) as [Tensor, Tensor];
      return tf.stack([sums.add(differences), sums.sub(differences)], 2).reshape([-1, 4, 6, 1]);
    },
    measurementToSpectral: (y) => tf.concat([y.reshape([-1, 12]), tf.zerosLike(y.reshape([-1, 12]))], 1),
    singularValues: tf.concat([gain.reshape([-1, 1]).tile([1, 12]).div(root), tf.zeros([gain.shape[0] ?? 1, 12])], 1),
  });
  const operator: Operator<{ readonly gain: Tensor }> = {
    linear: true,
    measurementShape: [4, 3, 1],
    draw: (random) => ({ gain: tf.tensor1d([1 + 0.05 * (random.uniform('gain', 1)[0] ?? 0)]).reshape([1]) }),
    forward: (x, { gain }) => mean(x).mul(shaped(gain)),
    adjoint: (v, { gain }) => spread(v).div(2).mul(shaped(gain)),
    pseudoInverse: (y, { gain }) => spread(y).div(shaped(gain)),
    solve: (y, ridge, { gain }) => y.div(shaped(gain).square().div(2).add(ridge)),
    svd: form,
    denoisingReference: (y) => ({
      reference: spread(y),
      mask: tf.ones([1, 1, 1, 1]),
      entriesPerObserved: tf.ones([y.shape[0] ?? 1]),
      factor: 2,
      sharesGradient: false,
    }),
  };
  return {
    ...operator,
    draw: (random) => tf.tidy(() => operator.draw(random) as { gain: Tensor }),
    ...change(operator),
  } as Operator;
};

const failing = async (make: () => Operator, provides: readonly Capability[] = everything) => {
  const operator = make();
  return failuresOf(operatorChecks, {
    name: 'operator/mine',
    manifest: { provides },
    operator,
    siblings: [operator],
    imageShape,
    tolerance: 1e-5,
    make: async () => make(),
    engine: () => container.plugin('engine', { id: 'onnxruntime' }),
  });
};

/** Pairs whose spectral coordinates without a singular value turn with the gain that is drawn. */
const turning = (basis: SpectralForm['basis']): Operator =>
  pairs(({ svd }) => ({
    svd: (drawn) => {
      const form = svd?.(drawn) as SpectralForm;
      const turn = (c: Tensor, way: number): Tensor => {
        const [sums, a, b] = tf.split(c, [12, 6, 6], 1) as [Tensor, Tensor, Tensor];
        const angle = drawn.gain.reshape([-1, 1]).mul(20 * way);
        const [cos, sin] = [angle.cos(), angle.sin()];
        return tf.concat([sums, a.mul(cos).sub(b.mul(sin)), a.mul(sin).add(b.mul(cos))], 1);
      };
      return {
        ...form,
        basis,
        toSpectral: (x) => turn(form.toSpectral(x), 1),
        fromSpectral: (c) => form.fromSpectral(turn(c, -1)),
      };
    },
  }));

it('an operator that keeps the rules passes', async () => {
  expect(await failing(() => pairs())).toEqual([]);
  expect(await failing(() => turning('drawn'))).toEqual([]);
});

const DOT = '< A x, v > = < x, A^T v >';
const GRADIENT = 'the adjoint is the gradient of < A x, v >';
const SVD = 'A^T = V diag(q) U^T';

/** All checks that must fail, the telling one first, and what that one says. */
const cases: readonly {
  readonly fault: string;
  readonly make: () => Operator;
  readonly fails: readonly string[];
  readonly says: RegExp;
}[] = [
  {
    fault: 'an adjoint without its factor',
    make: () =>
      pairs(({ adjoint }) => ({ adjoint: (v, drawn) => adjoint?.(v, drawn).mul(2) ?? tf.zeros([1, 4, 6, 1]) })),
    fails: [DOT, GRADIENT, SVD, '(A A^T + ridge I) solve(y) = y'],
    says: /^the adjoint gap .* is 0\.\d+: `adjoint` is not the transpose of `forward`/,
  },
  {
    fault: 'a pseudo-inverse that is the adjoint',
    make: () => pairs(({ adjoint }) => ({ ...(adjoint && { pseudoInverse: adjoint }) })),
    fails: ['A A^+ A = A and A^+ A A^+ = A^+'],
    says: /^the two sides differ by 0\.\d+ \(relative\): `pseudoInverse` is another map/,
  },
  {
    fault: 'noise in forward',
    make: () =>
      pairs(({ forward }) => ({
        forward: (x, drawn) => forward(x, drawn).add(tf.randomNormal([1, 4, 3, 1]).mul(1e-3)),
      })),
    fails: [
      'the same input gives the same bits',
      'a row is what it is alone, whatever was drawn for its batch mates',
      'compiled it computes what it computes step by step',
      'A(2 x - 3 z) = 2 A(x) - 3 A(z)',
      DOT,
      'A A^+ A = A and A^+ A A^+ = A^+',
      '(A A^T + ridge I) solve(y) = y',
      'A V = U diag(q)',
    ],
    says: /^forward gives other numbers for the same input/,
  },
  {
    fault: 'a basis called fixed that the draw turns',
    make: () => turning('fixed'),
    fails: ['V is as fixed as `basis` says'],
    says: /^`basis: 'fixed'` says that V does not depend on what is drawn, but another draw changes toSpectral by 0\.\d+ \(relative\)/,
  },
  {
    fault: 'a basis without a word for it',
    make: () =>
      pairs(({ svd }) => ({ svd: (drawn) => ({ ...(svd?.(drawn) as SpectralForm), basis: undefined as never }) })),
    fails: ['V is as fixed as `basis` says'],
    says: /^`basis` is undefined; it is 'pixels', 'fixed' or 'drawn'\.$/,
  },
  {
    fault: 'a draw from Math.random',
    make: () => pairs(() => ({ draw: () => ({ gain: tf.tensor1d([1 + 0.05 * Math.random()]) }) })),
    fails: ['draws are fixed by the key, and differ between keys', 'the same input gives the same bits'],
    says: /^two draws with the same key differ: draw only from the `random` that is given/,
  },
  {
    fault: 'the gain of the first row for all',
    make: () => pairs(({ forward }) => ({ forward: (x, { gain }) => forward(x, { gain: gain.slice([0], [1]) }) })),
    fails: [
      'a row is what it is alone, whatever was drawn for its batch mates',
      DOT,
      GRADIENT,
      'A A^+ A = A and A^+ A A^+ = A^+',
      '(A A^T + ridge I) solve(y) = y',
      'A V = U diag(q)',
    ],
    says: /^row 1 of forward moved by [\d.e-]+ \(relative\) when batch mates were added: .*parameters of another row/,
  },
  {
    fault: 'a kept tensor',
    make: () => pairs(({ forward }) => ({ forward: (x, drawn) => (tf.keep(tf.zeros([1])), forward(x, drawn)) })),
    fails: ['it leaves no tensors behind'],
    says: /^1 tensors remain after its functions ran in a scope/,
  },
  {
    fault: 'a tensor made with the operator',
    make: () => (tf.zeros([2]), pairs()),
    fails: ['it leaves no tensors behind'],
    says: /^making the operator makes 1 tensors, which nothing disposes/,
  },
  {
    fault: 'a draw that does not use its key',
    make: () => pairs(() => ({ draw: (random) => (random.uniform('gain', 1), { gain: tf.tensor1d([1.02]) }) })),
    fails: ['draws are fixed by the key, and differ between keys'],
    says: /^random numbers are asked for, but eight keys give the same draw/,
  },
  {
    fault: 'a reference too dark',
    make: () =>
      pairs(({ adjoint, denoisingReference }) => ({
        denoisingReference: (y, drawn) => ({
          ...(denoisingReference?.(y, drawn) ?? { mask: y, entriesPerObserved: y, factor: 1, sharesGradient: false }),
          reference: adjoint?.(y, drawn) ?? (y as Image),
        }),
      })),
    fails: ['the denoising reference has unit gain'],
    says: /^an image of ones .* has a reference whose median is 0\.5\d* where/,
  },
  {
    fault: 'a shared gradient that is not',
    make: () =>
      pairs(({ denoisingReference }) => ({
        denoisingReference: (y, drawn) => ({
          ...(denoisingReference?.(y, drawn) ?? { reference: y as Image, mask: y, entriesPerObserved: y, factor: 1 }),
          sharesGradient: true,
        }),
      })),
    fails: ['|| y - A(x) ||^2 and || P (reference - x) ||^2 have one gradient where it says `sharesGradient`'],
    says: /^the two sides differ by [\d.]+ \(relative\): DPS-w would fit its weight on another direction/,
  },
  {
    fault: 'singular values without their root',
    make: () =>
      pairs(({ svd }) => ({
        svd: (drawn) => {
          const form = svd?.(drawn);
          if (form === undefined) throw new Error('no form');
          return { ...form, singularValues: form.singularValues.square() };
        },
      })),
    fails: ['A V = U diag(q)', SVD],
    says: /^measurementToSpectral\(A\(x\)\) differs from q toSpectral\(x\) by 0\.\d+ \(relative\): U, q and V do not belong together/,
  },
];

describe('the kit catches', () => {
  it.each(cases)('$fault', async ({ make, fails, says }) => {
    const found = await failing(make);
    expect(found.map(({ name }) => name).toSorted()).toEqual(fails.toSorted());
    expect(found[0]?.name).toBe(fails[0]);
    expect(found[0]?.message).toMatch(says);
  });

  it('a root of what may be negative, and says what the images are', async () => {
    const [first] = await failing(() =>
      pairs(({ forward }) => ({ linear: false, forward: (x, drawn) => forward(x, drawn).sqrt() })),
    );
    expect(first?.message).toMatch(
      /^forward gives numbers that are not finite. .* standard normal numbers: methods leave the range -1 to 1 too, so clip/,
    );
  });

  it('a capability that the manifest does not name, and one that is not there', async () => {
    const name = 'it provides what its manifest says, and no more';
    expect(
      await failing(
        () => pairs(),
        everything.filter((each) => each !== 'operator.svd'),
      ),
    ).toEqual([
      {
        name,
        message: 'it has operator.svd, which "provides" in its manifest does not name: listings would not show it.',
      },
    ]);
    const withoutForm = (): Operator => {
      const { svd: _, ...rest } = pairs();
      return rest;
    };
    expect(await failing(withoutForm)).toEqual([
      {
        name,
        message:
          'its manifest provides operator.svd, and no option set of this test has it. Remove it from "provides", or test options that have it.',
      },
    ]);
  });
});

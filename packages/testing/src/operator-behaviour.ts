import {
  capabilities,
  disposeTree,
  type Image,
  keyedRandom,
  type KeyedRandom,
  leavesOf,
  mapTree,
  offers,
  type Operator,
  showShape,
  type Tensor,
  tensorsOf,
  tf,
  type TensorTree,
  vjp,
  sizeOf,
} from '@tweedie/core';
import { type Check, ensure, short } from './check.ts';
import {
  coefficients,
  drawnRows,
  images,
  measurements,
  type OperatorSubject,
  type Outputs,
  outputsOf,
  relativeGap,
  ROWS,
} from './operator-subject.ts';

const rowOf = <T extends Tensor>(x: T, row: number): T => tf.slice(x, [x.shape[0] === 1 ? 0 : row], [1]);
const treeRow = (tree: TensorTree, row: number): TensorTree =>
  mapTree(tree, (leaf) => (typeof leaf === 'number' ? leaf : rowOf(leaf, row)));
const everything = (subject: OperatorSubject): Outputs =>
  outputsOf(
    subject.operator,
    images('x', subject),
    measurements('y', subject),
    coefficients('c', subject),
    drawnRows(subject),
  );
const numbersOf = (tree: TensorTree): string =>
  leavesOf(tree)
    .map((leaf) => (typeof leaf === 'number' ? leaf : leaf.dataSync().join()))
    .join(';');

/** Random numbers, noting that they were asked for. */
function watchedRandom(key: string): { readonly random: KeyedRandom; readonly asked: () => boolean } {
  let asked = false;
  const { normal, uniform, permutation } = keyedRandom(key);
  const note =
    <T>(draw: (purpose: string, count: number) => T) =>
    (purpose: string, count: number): T => {
      asked = true;
      return draw(purpose, count);
    };
  return {
    random: { normal: note(normal), uniform: note(uniform), permutation: note(permutation) },
    asked: () => asked,
  };
}

/**
 * Checks of an operator as a batched, pure, seeded map with the capabilities that its manifest names. Randomness comes
 * first: whatever is random fails other checks too, with reasons that mislead.
 */
export const operatorBehaviourChecks: readonly Check<OperatorSubject>[] = [
  {
    name: 'results have the right shapes and finite numbers',
    run: (subject) =>
      tf.tidy(() => {
        const { operator, imageShape } = subject;
        const image = [ROWS, ...imageShape];
        const measured = [ROWS, ...operator.measurementShape];
        const entries = sizeOf(imageShape);
        const wanted: Readonly<Record<string, readonly number[]>> = {
          forward: measured,
          adjoint: image,
          pseudoInverse: image,
          solve: measured,
          shapeNoise: measured,
          'svd.toSpectral': [ROWS, entries],
          'svd.fromSpectral': image,
          'svd.measurementToSpectral': [ROWS, entries],
          'svd.singularValues': [ROWS, entries],
          'denoisingReference.reference': image,
          'denoisingReference.mask': image,
          'denoisingReference.entriesPerObserved': [ROWS],
        };
        /** The results that may broadcast over rows or pixels. */
        const broadcast = ['svd.singularValues', 'denoisingReference.mask'];
        for (const [name, result] of Object.entries(everything(subject))) {
          const shape = wanted[name] ?? [];
          const fits =
            result.shape.length === shape.length &&
            result.shape.every((size, axis) => size === shape[axis] || (size === 1 && broadcast.includes(name)));
          ensure(
            fits,
            () =>
              `${name} gives ${showShape(result.shape)} for ${ROWS} images ${showShape(imageShape)} and measurements ${showShape(operator.measurementShape)}; ${showShape(shape)} is wanted.`,
          );
          ensure(
            result.dataSync().every(Number.isFinite),
            () =>
              `${name} gives numbers that are not finite. The images and measurements here are standard normal numbers: methods leave the range -1 to 1 too, so clip or extend where a root or a logarithm ends.`,
          );
        }
      }),
  },
  {
    name: 'draws are fixed by the key, and differ between keys',
    run({ operator }) {
      const drawn = ['a', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((key) => {
        const { random, asked } = watchedRandom(key);
        const before = tf.memory().numTensors;
        const tree = operator.draw(random);
        const extra = tf.memory().numTensors - before - new Set(tensorsOf(tree)).size;
        const numbers = numbersOf(tree);
        disposeTree(tree);
        return { numbers, asked: asked(), extra };
      });
      const [first, second, ...others] = drawn;
      ensure(
        first?.numbers === second?.numbers,
        () => 'two draws with the same key differ: draw only from the `random` that is given.',
      );
      ensure(
        first?.asked !== true || others.some(({ numbers }) => numbers !== first.numbers),
        () =>
          'random numbers are asked for, but eight keys give the same draw: a purpose is probably used as if it were a seed, or the numbers are not used.',
      );
      ensure(
        (first?.extra ?? 0) <= 0,
        () => `\`draw\` leaves ${first?.extra} tensors behind beside those that it returns. Put tf.tidy around it.`,
      );
    },
  },
  {
    name: 'the same input gives the same bits',
    run: (subject) =>
      tf.tidy(() => {
        const again = everything(subject);
        for (const [name, result] of Object.entries(everything(subject))) {
          const other = again[name];
          ensure(
            other !== undefined && numbersOf(other) === numbersOf(result),
            () =>
              `${name} gives other numbers for the same input (${short(relativeGap(result, other ?? result))} relative): it is random or has a state. Draw in \`draw\`; measurement noise is not the operator's.`,
          );
        }
      }),
  },
  {
    name: 'a row is what it is alone, whatever was drawn for its batch mates',
    run: (subject) =>
      tf.tidy(() => {
        const [x, y, c, drawn] = [
          images('x', subject),
          measurements('y', subject),
          coefficients('c', subject),
          drawnRows(subject),
        ];
        const together = outputsOf(subject.operator, x, y, c, drawn);
        for (let row = 0; row < ROWS; row++) {
          const alone = outputsOf(subject.operator, rowOf(x, row), rowOf(y, row), rowOf(c, row), treeRow(drawn, row));
          for (const [name, result] of Object.entries(alone)) {
            const moved = relativeGap(rowOf(together[name] ?? result, row), result);
            ensure(
              moved < 1e-5,
              () =>
                `row ${row} of ${name} moved by ${short(moved)} (relative) when batch mates were added: something is taken over the batch, or the parameters of another row are used. ` +
                'Drawn tensors have a leading batch axis there.',
            );
          }
        }
      }),
  },
  {
    name: 'it leaves no tensors behind',
    async run(subject) {
      const before = tf.memory().numTensors;
      await subject.make();
      const made = tf.memory().numTensors - before;
      ensure(
        made === 0,
        () =>
          `making the operator makes ${made} tensors, which nothing disposes. Keep numbers in typed arrays and make tensors where they are used, or in \`draw\`.`,
      );
      const inputs = [
        images('x', subject),
        measurements('y', subject),
        coefficients('c', subject),
        drawnRows(subject),
      ] as const;
      const full = tf.memory().numTensors;
      tf.tidy(() => void outputsOf(subject.operator, ...inputs));
      const left = tf.memory().numTensors - full;
      disposeTree(inputs);
      ensure(
        left === 0,
        () =>
          `${left} tensors remain after its functions ran in a scope: something is kept (tf.keep, a variable, a cache).`,
      );
    },
  },
  {
    name: 'it provides what its manifest says, and no more',
    run({ operator, siblings, manifest: { provides } }) {
      for (const capability of capabilities) {
        const has = (each: Operator) => offers(capability, { operator: each });
        // A gradient shows in no member: the next check tries it.
        if (has(operator) === undefined) continue;
        const claimed = provides.includes(capability);
        ensure(
          claimed || has(operator) !== true,
          () => `it has ${capability}, which "provides" in its manifest does not name: listings would not show it.`,
        );
        ensure(
          !claimed || siblings.some(has),
          () =>
            `its manifest provides ${capability}, and no option set of this test has it. Remove it from "provides", or test options that have it.`,
        );
      }
    },
  },
  {
    name: 'its gradient is there if its manifest says so',
    applies: ({ manifest }) => manifest.provides.includes('operator.gradient'),
    run: (subject) =>
      tf.tidy(() => {
        const drawn = drawnRows(subject);
        const gradient = vjp((x) => subject.operator.forward(x, drawn).square().sum(), images('x', subject));
        ensure(gradient.dataSync().every(Number.isFinite), () => 'the gradient of || A(x) ||^2 is not finite.');
      }),
  },
  {
    name: 'compiled it computes what it computes step by step',
    async run(subject) {
      const engine = await subject.engine();
      const inputs = [
        images('x', subject),
        measurements('y', subject),
        coefficients('c', subject),
        drawnRows(subject),
      ] as const;
      const compiled = engine.compile((x: Image, y: Tensor, c: Tensor, drawn: TensorTree) =>
        outputsOf(subject.operator, x, y, c, drawn),
      );
      const results = await compiled(...inputs);
      const expected = tf.tidy(() => outputsOf(subject.operator, ...inputs) as Record<string, Tensor>);
      for (const [name, result] of Object.entries(expected)) {
        const gap = relativeGap(results[name] ?? tf.scalar(NaN), result);
        ensure(
          gap < 1e-5,
          () =>
            `${name} compiled by engine/${engine.id} differs by ${short(gap)} (relative) from plain TensorFlow.js: it probably reads numbers of a tensor (dataSync) or depends on a JavaScript value that changes.`,
        );
      }
      disposeTree([inputs, results, expected] as TensorTree);
      compiled.dispose();
    },
  },
];

import { ConfigError, type Dataset, type Manifest, showShape, sizeOf } from '@tweedie/core';
import { type Check, ensure, short } from './check.ts';
import { type Kit, type KitOptions, pluginAt, titleOf } from './plugin-under-test.ts';

/** What the data set checks look at. */
export type DatasetSubject = {
  readonly name: string;
  readonly dataset: Dataset;
  /** Makes the data set anew; the two share nothing. */
  readonly again: () => Promise<Dataset>;
};

/** The largest number of images that a check reads, spread over the set. */
const MOST = 200;

const indices = ({ size }: Dataset, count = MOST): readonly number[] => {
  const few = Math.min(size, count);
  return Array.from({ length: few }, (_, i) => Math.floor((i * size) / few));
};
const same = (a: Float32Array, b: Float32Array): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i]);

export const datasetChecks: readonly Check<DatasetSubject>[] = [
  {
    name: 'images have the shape it says and numbers in [-1, 1]',
    async run({ dataset }) {
      const { imageShape, size } = dataset;
      ensure(Number.isInteger(size) && size > 0, () => `its size is ${size}, and a whole number above 0 is wanted.`);
      for (const index of indices(dataset)) {
        const { name, x0 } = await dataset.item(index);
        const shape = dataset.shapeOf?.(index) ?? imageShape;
        const entries = sizeOf(shape);
        ensure(
          x0 instanceof Float32Array && x0.length === entries,
          () =>
            `image ${index} (${name}) has ${x0.length} numbers, and ${entries} float32 ones are wanted for the shape ${showShape(shape)}.`,
        );
        const wrong = x0.find((value) => !(Math.abs(value) <= 1));
        ensure(
          index > 0 || showShape(shape) === showShape(imageShape),
          () => `imageShape is ${showShape(imageShape)}, and the first image is ${showShape(shape)}.`,
        );
        ensure(
          wrong === undefined,
          () => `image ${index} (${name}) holds ${wrong}, outside [-1, 1]: 0..255 becomes value / 127.5 - 1.`,
        );
      }
    },
  },
  {
    name: 'no two images have one name',
    async run({ dataset }) {
      const places = new Map<string, number>();
      for (const index of indices(dataset)) {
        const { name } = await dataset.item(index);
        const other = places.get(name);
        ensure(
          other === undefined,
          () => `images ${other} and ${index} are both called "${name}": names key problems and results.`,
        );
        ensure(name.trim() !== '', () => `image ${index} has no name.`);
        places.set(name, index);
      }
    },
  },
  {
    name: 'names and images are the same each time, in any order of asking',
    async run({ dataset, again }) {
      const other = await again();
      ensure(other.size === dataset.size, () => `it has ${dataset.size} images and, made again, ${other.size}.`);
      for (const index of indices(dataset, 10).toReversed()) {
        const [first, second] = [await dataset.item(index), await other.item(index)];
        ensure(
          first.name === second.name && same(first.x0, second.x0),
          () =>
            `image ${index} is "${first.name}" and, made again, "${second.name}"${first.name === second.name ? ' with other numbers' : ''}: order and content must not depend on anything but the options.`,
        );
      }
    },
  },
  {
    name: 'who changes an image changes no other',
    async run({ dataset }) {
      const { x0 } = await dataset.item(0);
      const before = x0.slice();
      x0.fill(0.5);
      const { x0: after } = await dataset.item(0);
      ensure(
        same(before, after),
        () =>
          `image 0 changed (its first number from ${short(before[0] ?? NaN)} to ${short(after[0] ?? NaN)}) when a caller wrote into what it was given: give copies.`,
      );
    },
  },
  {
    name: 'an image that is not there is refused',
    async run({ dataset, name }) {
      for (const index of [dataset.size, -1, 0.5]) {
        const error = await dataset.item(index).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        ensure(
          error instanceof ConfigError && error.message.startsWith(`[${name}]`),
          () =>
            `item(${index}) of ${dataset.size} images ${error === undefined ? 'gives an image' : `says "${String(error)}"`}; a ConfigError that starts with [${name}] is wanted.`,
        );
      }
    },
  },
];

export const datasetKit = (place: string | Manifest, { folder }: KitOptions): Kit<DatasetSubject> => ({
  kind: 'dataset',
  blocksOf: ({ container, manifest, name }, options) => [
    {
      title: titleOf(options),
      async make() {
        const reference = { id: manifest.id, options };
        return {
          name,
          dataset: await container.plugin('dataset', reference),
          again: () => pluginAt(place, 'dataset', folder).container.plugin('dataset', reference),
        };
      },
    },
  ],
  checks: datasetChecks,
});

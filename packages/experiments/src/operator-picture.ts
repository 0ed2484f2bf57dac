import { resolve } from 'node:path';
import {
  asReference,
  adjointOf,
  ConfigError,
  createContainer,
  disposeTree,
  keyedRandom,
  openRegistry,
  perSample,
  sampleNorm,
  scoped,
  showShape,
  stackTrees,
  tf,
  type Engine,
  type Image,
  type ImageShape,
  type Operator,
  type RegistryOptions,
  type TensorTree,
} from '@tweedie/core';
import { createFiles, encodePng, OTHER_FILE, writeWhole } from '@tweedie/files';
import type { ReferenceInput } from './recipe/recipe.ts';
import { checkSignal, type Watch } from './machine/progress.ts';

export type OperatorPictureOptions = Watch & {
  readonly operator: ReferenceInput;
  /** A clean picture; taken at its own size. */
  readonly image: string;
  /** PNG to write. */
  readonly out: string;
  /** Pixels of the drawing for each pixel of the picture; default 2. */
  readonly enlarge?: number;
  readonly seed?: number;
  readonly registries?: RegistryOptions['registries'];
  readonly localRegistries?: RegistryOptions['localRegistries'];
};

/** Space between panels, in pixels of the drawing. */
const GAP = 8;
/** Iterations of the power method; few, for the gain is for the eye. */
const ITERATIONS = 20;

type Panel = { readonly pixels: Float32Array; readonly shape: readonly number[] };

/** Panels side by side, each stretched pixel by pixel to `height` x `width`. */
function montage(panels: readonly Panel[], height: number, width: number): { pixels: Float32Array; shape: ImageShape } {
  const total = panels.length * (width + GAP) - GAP;
  const pixels = new Float32Array(height * total * 3).fill(1);
  for (const [
    position,
    {
      pixels: from,
      shape: [rows = 1, columns = 1, channels = 1],
    },
  ] of panels.entries()) {
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        const place = (Math.floor((i * rows) / height) * columns + Math.floor((j * columns) / width)) * channels;
        const at = (i * total + position * (width + GAP) + j) * 3;
        for (let colour = 0; colour < 3; colour++)
          pixels[at + colour] = from[place + (channels === 3 ? colour : 0)] ?? 0;
      }
    }
  }
  return { pixels, shape: [height, total, 3] };
}

/** x, A(x) and A^T A(x) / || A ||^2 as arrays, one problem without noise. */
async function panelsOf(
  operator: Operator,
  engine: Engine,
  { x0, imageShape, seed }: { readonly x0: Float32Array; readonly imageShape: ImageShape; readonly seed: number },
  { signal, onProgress }: Watch,
): Promise<readonly Panel[]> {
  const one = operator.draw(keyedRandom(`picture ${seed}`));
  const drawn = stackTrees([one]);
  const adjoint = adjointOf(operator, imageShape);
  const apply = engine.compile((x: Image, given: TensorTree) => {
    const measured = operator.forward(x, given);
    return { measured, normal: adjoint(measured, given) };
  });
  const total = ITERATIONS + 1;
  const applied = async (x: Image, done: number) => {
    checkSignal(signal);
    onProgress?.({ phase: 'drawing', done, total, label: `A^T A, ${done + 1} of ${total}` });
    return apply(x, drawn);
  };
  try {
    return await scoped(async () => {
      const x: Image = tf.tensor4d(x0, [1, ...imageShape]);
      let vector: Image = tf.tensor4d(keyedRandom('power method').normal('start', x0.length), [1, ...imageShape]);
      let gain = sampleNorm(vector);
      for (let i = 0; i < ITERATIONS; i++) {
        const next = await applied(vector.div(perSample(gain, vector)), i);
        [vector, gain] = [next.normal, sampleNorm(next.normal)];
      }
      const { measured, normal } = await applied(x, ITERATIONS);
      onProgress?.({ phase: 'drawing', done: total, total });
      return [x, measured, normal.div(perSample(gain, x))].map((panel) => ({
        pixels: Float32Array.from(panel.dataSync()),
        shape: panel.shape.slice(1),
      }));
    });
  } finally {
    apply.dispose();
    disposeTree([one, drawn]);
  }
}

/** Writes a PNG of a picture x, its measurement A(x) without noise, and A^T A(x) / || A ||^2, side by side. */
export async function operatorPicture({
  operator: given,
  image,
  out,
  enlarge = 2,
  seed = 0,
  registries,
  localRegistries,
  ...watch
}: OperatorPictureOptions): Promise<void> {
  const container = createContainer({
    registry: openRegistry({ registries, localRegistries }),
    files: createFiles(process.cwd()),
  });
  try {
    const path = resolve(image);
    const [height, width] = await container.files.imageShape(path);
    const imageShape = [height, width, 3] as const;
    const x0 = await container.files.readImage(path, { height, width, channels: 3, fit: 'exact' });
    const reference = asReference(given);
    const operator = await container.plugin('operator', reference, { imageShape });
    const [, , channels = 0] = operator.measurementShape;
    const drawable = operator.measurementShape.length === 3 && (channels === 1 || channels === 3);
    if (!operator.linear || !drawable) {
      const why = operator.linear
        ? `its measurements ${showShape(operator.measurementShape)} are no pictures`
        : 'it is not linear and has no adjoint';
      throw new ConfigError(`operator/${reference.id}`, `cannot be drawn: ${why}.`, 'Choose another operator.');
    }
    const engine = await container.plugin('engine', { id: 'onnxruntime' });
    const panels = await panelsOf(operator, engine, { x0, imageShape, seed }, watch);
    const drawing = montage(panels, height * enlarge, width * enlarge);
    writeWhole(resolve(out), await encodePng(drawing.pixels, drawing.shape), OTHER_FILE);
  } finally {
    container.dispose();
  }
}

/** The networks of the fixtures network-formats: outputs, denoiser and their gradients against the float64 run. */
import { type Image, type Level, type SafetensorsEntry, type ScoreModel, type Tensor, tf } from '@tweedie/core';
import { jit } from '@tweedie/jit';
import { fixtureImage, readFixtureTensors } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';

export type Denoiser = {
  readonly sigma: readonly number[];
  readonly noise_input: readonly number[];
  readonly tolerance: { readonly x0hat_abs: readonly number[]; readonly vjp_abs: readonly number[] };
};
export type Format = {
  readonly format: 'diffusers' | 'edm' | 'adm';
  readonly io_file: string;
  readonly parameters: number;
  readonly io: Readonly<Record<string, { readonly t: readonly number[] }>>;
  readonly denoiser: Denoiser;
  readonly tolerance: { readonly out_abs: number; readonly vjp_abs: number };
};
export type Formats = { readonly models: Readonly<Record<string, Format & Readonly<Record<string, unknown>>>> };

const storedOf = ({ io_file }: Format): Map<string, SafetensorsEntry> => readFixtureTensors('network-formats', io_file);

const tensorOf = (stored: Map<string, SafetensorsEntry>, name: string): SafetensorsEntry => {
  const entry = stored.get(name);
  if (entry === undefined) throw new Error(`the fixture has no tensor ${name}`);
  return entry;
};
const row = (entry: SafetensorsEntry, index: number): Image =>
  tf.slice(fixtureImage(entry), [index, 0, 0, 0], [1, -1, -1, -1]);
const largest = (a: Tensor, b: Tensor): number => a.sub(b).abs().max().dataSync()[0] ?? NaN;

/** Labels as rows: stored so, or as the numbers of the classes. */
function labelsOf(stored: Map<string, SafetensorsEntry>, prefix: '' | 'noisy_', classes: number): Tensor | undefined {
  const [rows, numbers] = [stored.get(`${prefix}labels`), stored.get(`${prefix}y`)];
  if (rows) return tf.tensor2d(Float32Array.from(rows.data, Number), rows.shape as [number, number]);
  return (
    numbers && (tf.oneHot(tf.tensor1d(Int32Array.from(numbers.data, Number), 'int32'), classes) as Tensor).toFloat()
  );
}

/** The network alone, compiled, for every case of its file. */
export async function checkOutputs(
  format: Format,
  network: (x: Image, t: Tensor, labels?: Tensor) => Image,
  classes = 0,
): Promise<void> {
  const stored = storedOf(format);
  const labels = labelsOf(stored, '', classes);
  for (const key of Object.keys(format.io)) {
    const run = jit((x: Image, t: Tensor, cotangent: Image, rows: Tensor) => {
      const { value, grad } = tf.valueAndGrad((image: Tensor) => network(image as Image, t, labels && rows))(
        x,
        cotangent,
      );
      return { out: value, vjp: grad as Image };
    });
    const t = tf.tensor1d(Float32Array.from(tensorOf(stored, `t_${key}`).data, Number));
    const [x, cotangent] = [fixtureImage(tensorOf(stored, 'x')), fixtureImage(tensorOf(stored, 'cotangent'))];
    const { out, vjp } = await run(x, t, cotangent, labels ?? tf.zeros([1]));
    const [expected, gradient] = [tensorOf(stored, `out64_${key}`), tensorOf(stored, `vjp64_${key}`)].map(fixtureImage);
    expect(largest(out, expected!), `out_${key}`).toBeLessThan(format.tolerance.out_abs);
    expect(largest(vjp, gradient!), `vjp_${key}`).toBeLessThan(format.tolerance.vjp_abs);
    run.dispose();
  }
}

/** x0hat of a model and its gradient at the stored noise levels, in the units of its own process. */
export async function checkDenoiser(
  format: Format,
  { process, predict }: Pick<ScoreModel, 'process' | 'predict'>,
  classes = 0,
  { denoiser = format.denoiser, suffix = '', checkTime = false } = {},
): Promise<void> {
  const stored = storedOf(format);
  const labels = labelsOf(stored, 'noisy_', classes);
  const run = jit((noisy: Image, level: Level, cotangent: Image, rows: Tensor) => {
    const at = level as never as Parameters<typeof predict>[1];
    const { value, grad } = tf.valueAndGrad(
      (image: Tensor) => predict((image as Image).mul(at.signal), at, labels && rows).x0hat,
    )(noisy, cotangent);
    return { x0hat: value, vjp: grad as Image };
  });
  const { tolerance } = denoiser;
  for (const [k, sigma] of denoiser.sigma.entries()) {
    const level = process.levelAt(sigma);
    if (checkTime) expect(level.t).toBeCloseTo(denoiser.noise_input[k]!, 9);
    const rows = labels ? tf.slice(labels, [k, 0], [1, -1]) : tf.zeros([1]);
    const images = ['noisy', 'noisy_cotangent', `x0hat64${suffix}`, `x0hat_vjp64${suffix}`].map((name) =>
      stored.has(name) ? row(tensorOf(stored, name), k) : undefined,
    );
    const [noisy, cotangent, x0hat, gradient] = images;
    const got = await run(noisy!, level, cotangent ?? noisy!, rows);
    expect(largest(got.x0hat, x0hat!), `x0hat at sigma ${sigma}`).toBeLessThan(tolerance.x0hat_abs[k]!);
    if (gradient) expect(largest(got.vjp, gradient), `vjp at sigma ${sigma}`).toBeLessThan(tolerance.vjp_abs[k]!);
  }
  run.dispose();
}

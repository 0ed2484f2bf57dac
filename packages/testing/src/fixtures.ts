/** Reading the reference numbers of test/fixtures, and counting which of them a test file ran. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeSafetensors, type Files, type Image, type SafetensorsEntry, tf } from '@tweedie/core';
import { afterAll, expect, it } from 'vitest';

export type FixtureName = 'network' | 'checkpoints' | 'schedules' | 'operators' | 'metrics' | 'statistics' | 'methods';

const repository = fileURLToPath(new URL('../../..', import.meta.url));

/** The folder of one kind of fixtures: in test/fixtures, or in the folder that TWEEDIE_FIXTURES names. */
export const fixtureFolder = (name: FixtureName): string =>
  resolve(process.env['TWEEDIE_FIXTURES'] || join(repository, 'test/fixtures'), name);

/** Whether the folder in use has that file: another set of fixtures may lack some. */
export const hasFixture = (name: FixtureName, file: string): boolean => existsSync(join(fixtureFolder(name), file));

/** The type is the caller's knowledge of the file's description. */
export const readFixtureJson = <T>(name: FixtureName, file: string): T => JSON.parse(readFileSync(join(fixtureFolder(name), file), 'utf8')) as T;

export const readFixtureTensors = (name: FixtureName, file: string): Map<string, SafetensorsEntry> => {
  const path = join(fixtureFolder(name), file);
  return decodeSafetensors(readFileSync(path), path);
};

/** A stored [C, H, W] or [B, C, H, W] tensor as a float32 [B, H, W, C] one. */
export function fixtureImage({ shape, data }: SafetensorsEntry): Image {
  const [batch = 1, channels = 1, height = 1, width = 1] = shape.length === 3 ? [1, ...shape] : shape;
  return tf.tidy(() => tf.transpose(tf.tensor4d(Float32Array.from(data, Number), [batch, channels, height, width]), [0, 2, 3, 1]));
}

/**
 * Counts the cases that a test file's fixtures list and those it ran; one line is printed when the file is done:
 * `fixtures metrics/psnr: 27 listed, 27 ran, 0 skipped`. With CI set, a listed case that neither ran nor was reported, and one left out
 * although its plugin exists, is a failure.
 */
export function fixtureReport(name: FixtureName, subject: string) {
  const listed = new Set<string>();
  const ran = new Set<string>();
  const skipped = new Map<string, string>();
  const failures: string[] = [];

  afterAll(() => {
    for (const id of listed) {
      if (!ran.has(id) && !skipped.has(id)) failures.push(`${id} was listed but did not run`);
    }
    const reasons = [...new Set(skipped.values())].map((reason) => {
      const cases = [...skipped.keys()].filter((id) => skipped.get(id) === reason);
      return `\n  ${cases.length} skipped, ${reason}: ${cases.join(', ')}`;
    });
    console.log(`fixtures ${name}/${subject}: ${listed.size} listed, ${ran.size} ran, ${skipped.size} skipped${reasons.join('')}`);
    if (process.env['CI']) expect(failures).toEqual([]);
  });

  return {
    /** One test for one case. */
    case(id: string, check: () => void | Promise<void>): void {
      listed.add(id);
      it(id, async () => {
        ran.add(id);
        await check();
      });
    },
    /** Its plugin, `<kind>/<id>`, does not exist yet. */
    awaits(plugin: string, id: string): void {
      listed.add(id);
      skipped.set(id, `no plugin ${plugin} yet`);
      if (existsSync(join(repository, 'plugins', plugin.replace('/', '-'), 'plugin.json'))) failures.push(`${id} was skipped although ${plugin} exists`);
    },
    /** Its file says that float32 cannot meet it. */
    needsFloat64(id: string): void {
      listed.add(id);
      skipped.set(id, 'only float64 can meet it');
    },
  };
}

/** A picture of metrics.json as [1, H, W, 3]: the name of a PNG, or `<file>.safetensors#<tensor>`. */
export async function fixturePicture(files: Files, picture: string, [height, width]: readonly [height: number, width: number]): Promise<Image> {
  const [file = picture, tensor] = picture.split('#');
  if (tensor === undefined) {
    const pixels = await files.readImage(join(fixtureFolder('metrics'), file), { height, width, channels: 3, fit: 'exact' });
    return tf.tensor4d(pixels, [1, height, width, 3]);
  }
  const entry = readFixtureTensors('metrics', file).get(tensor);
  if (entry === undefined) throw new Error(`${file} has no tensor ${tensor}`);
  return fixtureImage(entry);
}

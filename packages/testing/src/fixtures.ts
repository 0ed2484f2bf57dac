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
 * `fixtures metrics/psnr: 24 listed, 24 ran, 0 skipped`. With CI set, a case that was listed but did not run is a failure.
 */
export function fixtureReport(name: FixtureName, subject: string) {
  const listed = new Set<string>();
  const ran = new Set<string>();
  const skipped = new Map<string, string>();
  const skip = (ids: readonly string[], reason: string) => {
    for (const id of ids) {
      listed.add(id);
      skipped.set(id, reason);
    }
  };

  afterAll(() => {
    const reasons = [...new Set(skipped.values())].map((reason) => {
      const ids = [...skipped.keys()].filter((id) => skipped.get(id) === reason);
      return `\n  ${ids.length} skipped, ${reason}: ${ids.join(', ')}`;
    });
    console.log(`fixtures ${name}/${subject}: ${listed.size} listed, ${ran.size} ran, ${skipped.size} skipped${reasons.join('')}`);
    if (process.env['CI']) expect([...listed].filter((id) => !ran.has(id) && !skipped.has(id))).toEqual([]);
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
    /** Cases of a plugin, `<kind>/<id>`, that does not exist yet. Once it does, leaving them out is a failure. */
    awaits(plugin: string, ids: readonly string[]): void {
      skip(ids, `no plugin ${plugin} yet`);
      it(`awaits ${plugin}`, () => {
        expect(existsSync(join(repository, 'plugins', plugin.replace('/', '-'))), `${plugin} exists: run its fixtures`).toBe(false);
      });
    },
    /** Cases of a variant or a map that no plugin has yet, where another one of the same plugin exists. */
    missing(variant: string, ids: readonly string[]): void {
      skip(ids, `no ${variant} yet`);
    },
    /** Cases whose file says that only float64 can meet them. */
    needFloat64(ids: readonly string[]): void {
      skip(ids, 'only float64 can meet them');
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

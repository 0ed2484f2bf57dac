import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeSafetensors, tf } from '@tweedie/core';
import { testContext } from '@tweedie/testing';
import {
  fixtureFolder,
  fixturePicture,
  fixtureReport,
  hasFixture,
  readFixtureTensors,
} from '@tweedie/testing/fixtures';
import { afterAll, expect } from 'vitest';
import { lpips } from '../src/index.ts';

type Pair = {
  readonly image: string;
  readonly reference: string;
  readonly size: readonly [height: number, width: number];
  readonly lpips64?: number;
  readonly lpips64_if_max_pooled?: number;
};
type Listed = {
  readonly pairs: readonly Pair[];
  readonly out_of_range?: Pair;
  readonly network?: { readonly file: string; readonly linear_list_file: string };
};

const context = testContext(fixtureFolder('metrics'));
const report = fixtureReport('metrics', 'lpips');
const { pairs, out_of_range: outOfRange, network } = report.index<Listed>('metrics.json', { pairs: [] });
const weights = network?.file ?? '';
const make = (options: object) => lpips({ weights, engine: 'onnxruntime', ...options }, { ...context, range: [-1, 1] });
const scratch = mkdtempSync(join(tmpdir(), 'tweedie-lpips-'));
afterAll(() => rmSync(scratch, { recursive: true }));

for (const { image, reference, size, lpips64, lpips64_if_max_pooled: wrong } of [
  ...pairs,
  ...(outOfRange ? [outOfRange] : []),
]) {
  if (lpips64 === undefined || !hasFixture('metrics', weights)) {
    report.notListed(`${image} against ${reference}`);
    continue;
  }
  report.case(`${image} against ${reference}`, async () => {
    const { compare } = await make({});
    const [score = NaN] = await compare(
      await fixturePicture(context.files, image, size),
      await fixturePicture(context.files, reference, size),
    );
    expect(Math.abs(score - lpips64)).toBeLessThan(1e-5);
    if (wrong !== undefined && Math.abs(wrong - lpips64) > 1e-3) expect(Math.abs(score - wrong)).toBeGreaterThan(1e-4);
  });
}

const list = network?.linear_list_file ?? '';
if (hasFixture('metrics', weights) && hasFixture('metrics', list))
  report.case('the five weights as a list, and files that are others', async () => {
    const [a, b] = [tf.fill([1, 16, 24, 1], 0.2), tf.zeros([1, 16, 24, 1])] as Parameters<
      Awaited<ReturnType<typeof make>>['compare']
    >;
    const [whole, listed] = [await make({}), await make({ linear: list })];
    expect(await listed.compare(a, b)).toEqual(await whole.compare(a, b));
    expect((await whole.compare(a, b))[0]).toBeGreaterThan(0);
    await expect(whole.compare(tf.zeros([1, 8, 16, 3]), tf.zeros([1, 8, 16, 3]))).rejects.toThrow(
      '[metric/lpips] images of [8, 16, 3]: it takes 1 or 3 channels and sides of 16 at least.',
    );
    await expect(make({ weights: 'gone.pth' })).rejects.toThrow('gone.pth] does not exist.');
    await expect(make({ weights: list })).rejects.toThrow('has no tensor "features.0.weight", which LPIPS needs.');
    const fewer = new Map([...readFixtureTensors('metrics', weights)].filter(([name]) => name.startsWith('features')));
    const path = join(scratch, 'vgg.safetensors');
    writeFileSync(path, encodeSafetensors(fewer as Parameters<typeof encodeSafetensors>[0]));
    await expect(make({ weights: path })).rejects.toThrow('has no tensor "lin0.model.1.weight" or "0"');
  });

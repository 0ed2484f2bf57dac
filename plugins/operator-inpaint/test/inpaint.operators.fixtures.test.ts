import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeSafetensors, type Image, keyedRandom, type Operator, type SafetensorsEntry, tf } from '@tweedie/core';
import { testOperatorContext } from '@tweedie/testing';
import { fixtureImage, fixtureReport, readFixtureTensors } from '@tweedie/testing/fixtures';
import { afterAll, expect } from 'vitest';
import { inpaint, type InpaintOptions } from '../src/index.ts';

type Box = { readonly height: number; readonly width: number };
type MaskFixture = {
  readonly parameters?: { readonly probabilities?: readonly number[]; readonly box?: Box };
  readonly checks?: Readonly<Record<string, number>>;
};
type Index = { readonly pictures: Readonly<Record<string, { readonly mask?: MaskFixture }>> };
type Inpaint = Operator<{ readonly mask: tf.Tensor }>;

const report = fixtureReport('operators', 'inpaint');
const folder = mkdtempSync(join(tmpdir(), 'tweedie-inpaint-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const largestGap = async (a: tf.Tensor, b: tf.Tensor): Promise<number> =>
  (await tf.max(tf.abs(tf.sub(a, b))).data())[0] ?? NaN;
const hiddenOf = async (mask: tf.Tensor): Promise<number> =>
  [...(await mask.data())].filter((value) => value === 0).length;

const { pictures } = report.index<Index>('index.json', { pictures: {} });
for (const [picture, { mask: fixture }] of Object.entries(pictures)) {
  if (fixture === undefined) continue;
  const tensors = readFixtureTensors('operators', `${picture}.mask.safetensors`);
  const images = readFixtureTensors('operators', `${picture}.image.safetensors`);
  const get = (from: ReadonlyMap<string, SafetensorsEntry>, name: string): SafetensorsEntry => {
    const entry = from.get(name);
    if (entry === undefined) throw new Error(`${picture} has no tensor ${name}`);
    return entry;
  };
  const x = fixtureImage(get(images, 'x'));
  // A mask is its own adjoint: any picture will do for v.
  const v = fixtureImage(get(images, images.has('v') ? 'v' : 'x'));
  const [, height, width, channels] = x.shape;
  const make = async (options: Partial<InpaintOptions>) =>
    (await inpaint(
      { pattern: 'random', hiddenNoise: 'zero', ...options },
      testOperatorContext([height, width, channels]),
    )) as Inpaint;
  const masks = [...tensors.keys()].filter((name) => !name.startsWith('y_'));

  for (const name of masks) {
    report.case(`${picture} mask ${name}`, async () => {
      const stored = get(tensors, name);
      const file = join(folder, `${picture}.${name}.safetensors`);
      writeFileSync(
        file,
        encodeSafetensors(
          new Map([['mask', { dtype: 'U8', shape: stored.shape, data: Uint8Array.from(stored.data, Number) }]]),
        ),
      );
      const operator = await make({ pattern: 'file', file });
      const { mask } = operator.draw(keyedRandom('any'));
      const drawn = { mask: mask.expandDims(0) };
      const expected = fixtureImage(stored);
      expect(await largestGap(drawn.mask, expected)).toBe(0);
      expect(await largestGap(operator.forward(x, drawn), x.mul(expected))).toBe(0);
      expect(await largestGap(operator.adjoint!(v, drawn), v.mul(expected))).toBe(0);
      const y = tensors.get(`y_${name}`);
      if (y !== undefined) expect(await largestGap(operator.forward(x, drawn), fixtureImage(y))).toBe(0);
    });
  }
  for (const name of [...tensors.keys()].filter((name) => name.startsWith('y_'))) {
    report.case(`${picture} ${name}`, async () => {
      const operator = await make({});
      const mask: Image = fixtureImage(get(tensors, name.slice(2)));
      expect(await largestGap(operator.forward(x, { mask }), fixtureImage(get(tensors, name)))).toBe(0);
    });
  }
  for (const rate of fixture.parameters?.probabilities ?? []) {
    const name = `${Math.round(100 * rate)}`;
    report.case(`${picture} removes floor(${rate} n) pixels`, async () => {
      const removed = fixture.checks?.[`removed${name}`] ?? Math.floor(rate * height * width);
      expect(await hiddenOf((await make({ rate })).draw(keyedRandom(picture)).mask)).toBe(removed);
      const stored = tensors.get(`random${name}`);
      if (stored !== undefined) expect(await hiddenOf(fixtureImage(stored))).toBe(removed);
    });
  }
  const { box } = fixture.parameters ?? {};
  if (box === undefined) continue;
  report.case(`${picture} box`, async () => {
    const { height: boxHeight, width: boxWidth } = box;
    const hidden = boxHeight * boxWidth;
    const stored = tensors.get('box');
    if (stored !== undefined) expect(await hiddenOf(fixtureImage(stored))).toBe(hidden);
    expect(
      await hiddenOf((await make({ pattern: 'box', boxHeight, boxWidth, margin: 0 })).draw(keyedRandom(picture)).mask),
    ).toBe(hidden);
  });
}

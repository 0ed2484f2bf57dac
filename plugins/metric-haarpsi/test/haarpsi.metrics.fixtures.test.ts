import { testContext } from '@tweedie/testing';
import { fixturePicture, fixtureReport } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';
import { haarpsi } from '../src/index.ts';

type Pair = {
  readonly image: string;
  readonly reference: string;
  readonly size: readonly [height: number, width: number];
  readonly ssim64?: number;
  readonly haarpsi64?: number;
};
type Listed = { readonly pairs: readonly Pair[] };

const context = testContext();
const metric = await haarpsi({}, { ...context, range: [-1, 1] });
const report = fixtureReport('metrics', 'haarpsi');
const { pairs } = report.index<Listed>('metrics.json', { pairs: [] });

for (const { image, reference, size, haarpsi64 } of pairs)
  report.case(`${image} against ${reference}`, async () => {
    const [a, b] = [
      await fixturePicture(context.files, image, size),
      await fixturePicture(context.files, reference, size),
    ];
    const [score = NaN] = await metric.compare(a, b);
    if (haarpsi64 !== undefined) expect(Math.abs(score - haarpsi64)).toBeLessThan(1e-5);
    // Without a stored number: what holds for every pair.
    expect(score).toBeGreaterThan(0);
    expect(score).toBeLessThanOrEqual(1 + 1e-12);
    expect((await metric.compare(b, a))[0]).toBeCloseTo(score, 12);
    expect(score > 1 - 1e-9).toBe(image === reference);
  });

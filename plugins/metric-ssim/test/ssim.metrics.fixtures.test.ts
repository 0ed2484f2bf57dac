import { testContext } from '@tweedie/testing';
import { fixturePicture, fixtureReport } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';
import { ssim } from '../src/index.ts';

type Pair = {
  readonly image: string;
  readonly reference: string;
  readonly size: readonly [height: number, width: number];
  readonly ssim64?: number;
};
type Listed = { readonly pairs: readonly Pair[]; readonly out_of_range?: Pair };

const context = testContext();
const metric = await ssim({}, { ...context, range: [-1, 1] });
const report = fixtureReport('metrics', 'ssim');
const { pairs, out_of_range: outOfRange } = report.index<Listed>('metrics.json', { pairs: [] });

for (const { image, reference, size, ssim64 } of [...pairs, ...(outOfRange ? [outOfRange] : [])]) {
  if (ssim64 === undefined) {
    report.notListed(`${image} against ${reference}`);
    continue;
  }
  report.case(`${image} against ${reference}`, async () => {
    const [score = NaN] = await metric.compare(
      await fixturePicture(context.files, image, size),
      await fixturePicture(context.files, reference, size),
    );
    expect(Math.abs(score - ssim64)).toBeLessThan(1e-6);
  });
}

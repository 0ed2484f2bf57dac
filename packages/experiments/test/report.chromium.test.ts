import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderReport } from '../src/report/render.ts';
import { type Opened, openInChromium, skipChromium } from './chromium.ts';
import { sampleReport } from './report-sample.ts';

describe.skipIf(skipChromium)('the report in Chromium', () => {
  let opened: Opened;
  let page: Opened['page'];

  beforeAll(async () => {
    const text = renderReport(await sampleReport({ pictured: 2 }));
    opened = await openInChromium(text, { width: 1400, height: 900 });
    ({ page } = opened);
  }, 60_000);

  afterAll(() => opened?.close());

  it('opens without an error and without a request that leaves the page', () => {
    const { complaints, requests } = opened;
    expect(complaints).toEqual([]);
    expect(requests.filter((url) => !/^(file|data):/.test(url))).toEqual([]);
    expect(requests.filter((url) => url.startsWith('file:'))).toHaveLength(1);
  });

  it('draws every image', async () => {
    const drawn = await page.$$eval('img', (images) => images.map((image) => image.complete && image.naturalWidth > 0));
    expect(drawn.length).toBeGreaterThan(100);
    expect(drawn.every(Boolean)).toBe(true);
  });

  it.each([1400, 800])('fits a window of %i pixels', async (width) => {
    await page.setViewportSize({ width, height: 900 });
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBe(width);
  });

  it('shows the scores of a picture that is pointed at', async () => {
    const scored = page.locator('.scored').first();
    await scored.hover();
    expect(await page.evaluate<string>('getComputedStyle(document.querySelector(".scored figcaption")).opacity')).toBe(
      '1',
    );
  });

  it('sorts a table in both directions, by mouse and by keyboard, and keeps skipped rows last', async () => {
    const table = page.locator('table.summary').nth(1);
    const header = table.locator('th[data-column="1"]');
    const labels = () => table.locator('tbody th .label').allTextContents();
    const byScore = ['exact', 'DPS-w', 'DPS 0.3', 'DPS 1.0'];
    await header.getByRole('button').click();
    expect([await header.getAttribute('aria-sort'), await labels()]).toEqual(['descending', [...byScore, 'DSG']]);
    await header.getByRole('button').press('Enter');
    expect([await header.getAttribute('aria-sort'), await labels()]).toEqual([
      'ascending',
      [...byScore.toReversed(), 'DSG'],
    ]);
    await table.locator('th[data-column="0"]').getByRole('button').click();
    expect([await header.getAttribute('aria-sort'), await labels()]).toEqual([
      null,
      ['DPS 0.3', 'DPS 1.0', 'DPS-w', 'DSG', 'exact'],
    ]);
  });

  it('moves the frames of all methods with one slider', async () => {
    const frames = () => page.$$eval('.now img', (images) => images.map((image) => String(image.src)));
    const chosen = (index: number) =>
      page.$$eval(
        '.frames',
        (strips, index) => strips.map((strip) => strip.querySelectorAll('img')[index]!.src),
        index,
      );
    const before = await frames();
    expect(before).toEqual(await chosen(7));
    await page.locator('#step').fill('2');
    const after = await frames();
    expect(after).toEqual(await chosen(2));
    expect(after.filter((frame, index) => frame === before[index])).toEqual([]);
    await page.locator('#step').press('ArrowRight');
    expect(await frames()).toEqual(await chosen(3));
    expect(new Set(await page.locator('.strip .level').allTextContents())).toEqual(new Set(['σ 2.4']));
    await page.locator('.frames').first().locator('li').first().click();
    expect(await frames()).toEqual(await chosen(0));
  });

  it('is complete without JavaScript', async () => {
    const plain = await page.context().browser()!.newPage({ javaScriptEnabled: false });
    await plain.goto(page.url());
    expect(await plain.locator('.now img:visible').count()).toBe(await page.locator('.now img').count());
    expect(await plain.locator('.scrubber').isVisible()).toBe(false);
    await plain.close();
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reduced, renderPage } from '../src/restore/page.ts';
import { type Opened, openInChromium, skipChromium } from './chromium.ts';

/** A picture of one value, wider than a page shows pixel for pixel. */
const flat = (value: number, height: number, width: number) => ({
  pixels: new Float32Array(height * width * 3).fill(value),
  shape: [height, width, 3] as const,
});

describe('the page of a restored picture', () => {
  it('reduces large pictures by the mean of blocks, those of the border too', () => {
    const { pixels, shape } = reduced({ pixels: Float32Array.of(0, 2, 4, 6, 8, 10), shape: [2, 3, 1] }, 2);
    expect([...pixels, ...shape]).toEqual([4, 7, 1, 2, 1]);
  });
});

describe.skipIf(skipChromium)('the page of a restored picture in Chromium', () => {
  let opened: Opened;
  let page: Opened['page'];

  beforeAll(async () => {
    const text = await renderPage({
      title: 'a <b>.png',
      lead: 'identity',
      command: 'npx tweedie restore a.png',
      before: flat(-1, 450, 900),
      after: flat(1, 450, 900),
      afterName: 'restored',
      others: [{ ...flat(0, 8, 8), name: 'deviation', hint: 'white 0.1' }],
      facts: [['seed', '0']],
    });
    opened = await openInChromium(text, { width: 1100, height: 800 });
    ({ page } = opened);
  }, 60_000);

  afterAll(() => opened?.close());

  it('opens without an error or a request, draws every picture, and fits', async () => {
    const { complaints, requests } = opened;
    expect(complaints).toEqual([]);
    expect(requests.filter((url) => !url.startsWith('data:'))).toHaveLength(1);
    const drawn = await page.$$eval('img', (images) => images.map((image) => image.complete && image.naturalWidth > 0));
    // Before and after of the whole and of its middle, and three side by side.
    expect(drawn).toEqual(new Array(7).fill(true));
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBe(1100);
    expect(await page.title()).toBe('a <b>.png · Tweedie');
  });

  it('cuts from the given picture to the result where the slider stands', async () => {
    const compare = page.locator('.compare').first();
    const box = (await compare.boundingBox())!;
    const brightAt = async (share: number): Promise<boolean> => {
      const [x, y] = [box.x + share * box.width, box.y + box.height / 2];
      const shot = await page.screenshot({ clip: { x, y, width: 1, height: 1 } });
      const data = `data:image/png;base64,${shot.toString('base64')}`;
      return page.evaluate<boolean>(
        `createImageBitmap(new Blob([Uint8Array.from(atob('${data.split(',')[1]}'), (c) => c.charCodeAt(0))])).then((bitmap) => {
          const context = new OffscreenCanvas(1, 1).getContext('2d');
          context.drawImage(bitmap, 0, 0);
          return context.getImageData(0, 0, 1, 1).data[0] > 128;
        })`,
      );
    };
    expect([await brightAt(0.3), await brightAt(0.7)]).toEqual([false, true]);
    await compare.locator('input').fill('80');
    expect([await brightAt(0.3), await brightAt(0.7), await brightAt(0.9)]).toEqual([false, false, true]);
    await compare.locator('input').press('Home');
    expect(await brightAt(0.3)).toBe(true);
  });
});

/** The page of a restored picture: before and after, with a slider between them. */
import { createHash } from 'node:crypto';
import type { ImageShape } from '@tweedie/core';
import type { PngDataUri } from '../report/data.ts';
import { html, type Html, type HtmlPart } from '../report/html.ts';
import { heading, page } from '../report/page.ts';
import { picture } from '../report/pictures.ts';

/** A picture of the page, in [-1, 1]. */
export type Shown = { readonly pixels: Float32Array; readonly shape: ImageShape };

export type PageFacts = {
  readonly title: string;
  readonly lead: HtmlPart;
  readonly command: string;
  readonly before: Shown;
  readonly after: Shown;
  /** What `after` is: a sample, or the mean of some. */
  readonly afterName: string;
  /** Further pictures, with what each is. */
  readonly others: readonly (Shown & { readonly name: string; readonly hint: string })[];
  readonly facts: readonly (readonly [name: string, value: string])[];
};

/** The longest side of a picture on the page: larger ones are reduced, and their middle is shown as it is. */
const LONGEST = 800;

/** The mean of each block of `factor` by `factor` pixels; at the far border of what is there. */
export const reduced = ({ pixels, shape: [height, width, channels] }: Shown, factor: number): Shown => {
  if (factor === 1) return { pixels, shape: [height, width, channels] };
  const [rows, columns] = [Math.ceil(height / factor), Math.ceil(width / factor)];
  const sums = new Float32Array(rows * columns * channels);
  const counts = new Float32Array(rows * columns);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const block = Math.floor(row / factor) * columns + Math.floor(column / factor);
      counts[block] = (counts[block] ?? 0) + 1;
      for (let c = 0; c < channels; c++)
        sums[block * channels + c] =
          (sums[block * channels + c] ?? 0) + (pixels[(row * width + column) * channels + c] ?? 0);
    }
  return {
    pixels: sums.map((sum, k) => sum / (counts[Math.floor(k / channels)] ?? 1)),
    shape: [rows, columns, channels],
  };
};

/** The middle part of a picture, a share of each side. */
const middle = ({ pixels, shape: [height, width, channels] }: Shown, share: number): Shown => {
  const [rows, columns] = [Math.max(1, Math.round(share * height)), Math.max(1, Math.round(share * width))];
  const [top, left] = [Math.floor((height - rows) / 2), Math.floor((width - columns) / 2)];
  const cut = new Float32Array(rows * columns * channels);
  for (let row = 0; row < rows; row++) {
    const start = ((top + row) * width + left) * channels;
    cut.set(pixels.subarray(start, start + columns * channels), row * columns * channels);
  }
  return { pixels: cut, shape: [rows, columns, channels] };
};

const sourceOf = ({ pixels, shape }: Shown): Promise<PngDataUri> => picture(pixels, shape);
const factorFor = ({ shape: [height, width] }: Shown): number => Math.ceil(Math.max(height, width) / LONGEST);

const css = `
.compare { position: relative; max-width: 100%; overflow: hidden; border-radius: 6px; background: var(--raised); --cut: 50%; }
.compare img { position: absolute; inset: 0; width: 100%; height: 100%; border-radius: 0; image-rendering: pixelated; }
.compare .after { clip-path: inset(0 0 0 var(--cut)); }
.compare .line { position: absolute; top: 0; bottom: 0; left: var(--cut); width: 2px; margin-left: -1px; background: #fff; box-shadow: 0 0 4px rgb(0 0 0 / 0.6); pointer-events: none; }
.compare .tag { position: absolute; top: 10px; padding: 2px 9px; border-radius: 99px; background: rgb(12 13 15 / 0.72); color: #f4f4f2; font-size: 12.5px; pointer-events: none; }
.compare .tag.left { left: 10px; } .compare .tag.right { right: 10px; }
.compare input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: ew-resize; }
.compare:has(input:focus-visible) { outline: 2px solid var(--accent); outline-offset: 2px; }
.sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 20px; margin-top: 12px; }
.sides img { width: 100%; max-width: 100%; }
.sides figcaption { margin-top: 6px; font-size: 13px; line-height: 1.4; }
.sides b { font-weight: 620; }
`;

/** Moves the cut of the picture that a slider lies on. */
const script = `(() => {
  'use strict';
  for (const slider of document.querySelectorAll('.compare input')) {
    const show = () => slider.parentElement.style.setProperty('--cut', slider.value + '%');
    slider.addEventListener('input', show);
    show();
  }
})();`;

/** Small pictures are enlarged to at least so many pixels. */
const LEAST_WIDTH = 512;

const compare = async (before: Shown, after: Shown, afterName: string): Promise<Html> => {
  const [height, width] = after.shape;
  const shown = Math.max(width, LEAST_WIDTH);
  return html`<div class="compare" style="width: ${shown}px; aspect-ratio: ${width} / ${height}">
<img src="${await sourceOf(before)}" alt="as it was given" draggable="false">
<img class="after" src="${await sourceOf(after)}" alt="${afterName}" draggable="false">
<span class="line"></span><span class="tag left">given</span><span class="tag right">${afterName}</span>
<input type="range" min="0" max="100" step="0.1" value="50" aria-label="Where the picture as given ends and the result begins">
</div>`;
};

const side = async (shown: Shown, name: string, hint: string): Promise<Html> =>
  html`<figure><img src="${await sourceOf(reduced(shown, factorFor(shown)))}" alt="${name}" draggable="false"><figcaption><b>${name}</b> <span class="hint">${hint}</span></figcaption></figure>`;

/** The page as one HTML file that needs nothing else. Complete without JavaScript; with it, the slider moves. */
export const renderPage = async ({
  title,
  lead,
  command,
  before,
  after,
  afterName,
  others,
  facts,
}: PageFacts): Promise<string> => {
  const factor = factorFor(after);
  const whole = await compare(reduced(before, factorFor(before)), reduced(after, factor), afterName);
  const detail =
    factor === 1
      ? null
      : html`<h2>The middle, pixel for pixel</h2>
${await compare(middle(before, 1 / factor), middle(after, 1 / factor), afterName)}`;
  const size = `${after.shape[1]} x ${after.shape[0]} pixels`;
  const sides = [
    await side(before, 'given', `${before.shape[1]} x ${before.shape[0]} pixels`),
    await side(after, afterName, size),
    ...(await Promise.all(others.map((each) => side(each, each.name, each.hint)))),
  ];
  return page({
    title,
    css,
    script: { text: script, hash: createHash('sha256').update(script).digest('base64') },
    body: html`${heading({ kind: 'Tweedie restore', created: new Date().toISOString(), title, lead, command })}
<main>
<section><h2>Before and after</h2>
<p class="hint">Move the pointer or the arrow keys over the picture.${factor === 1 ? null : ` Each pixel here is the mean of ${factor} by ${factor} of the files.`}</p>
${whole}
${detail}</section>
<section><h2>Side by side</h2>
<div class="sides">${sides}</div></section>
<section><h2>Facts</h2>
<dl>${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></section>
</main>`,
  });
};

/** A measurement as a picture; a plane where it has one channel, undefined where it is none. */
export const shownMeasurement = (data: Float32Array, shape: readonly number[]): Shown | undefined => {
  const [height = 0, width = 0, channels = 0] = shape;
  return shape.length === 3 && (channels === 1 || channels === 3)
    ? { pixels: data, shape: [height, width, channels] }
    : undefined;
};

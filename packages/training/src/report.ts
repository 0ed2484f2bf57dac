import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { facts, type CardFacts } from './card.ts';
import { DENOISED_AT } from './validation.ts';

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

function figure(caption: string, options: Plot.PlotOptions): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const svg = Plot.plot({ document, width: 720, height: 280, grid: true, ...options });
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', caption);
  return `<figure><figcaption>${escape(caption)}</figcaption>${svg.outerHTML}</figure>`;
}

/** A page with what is trained, the curves of loss and denoising, and the last samples. */
export function reportPage({ title, recipe, layout, log, folder }: CardFacts): string {
  const losses = log.flatMap(({ images, loss, validation }) => [
    { images, loss, of: 'training' },
    ...(validation === undefined ? [] : [{ images, loss: validation, of: 'held out, averaged weights' }]),
  ]);
  const denoised = log.flatMap(({ images, denoised: scores }) =>
    scores === undefined
      ? []
      : DENOISED_AT.map((sigma) => ({ images, dB: scores[String(sigma)], of: `sigma ${sigma}` })),
  );
  const curve = (data: Plot.Data, y: string): Plot.Markish[] => [
    Plot.lineY(data, { x: 'images', y, stroke: 'of', z: 'of' }),
    Plot.dot(data, { x: 'images', y, fill: 'of', r: 1.5 }),
  ];
  const samples = join(folder, 'samples');
  const last = existsSync(samples) ? readdirSync(samples).sort().at(-1) : undefined;
  const parts = [
    `<h1>${escape(title)}</h1>`,
    `<dl>${facts({ recipe, layout, log })
      .map(([key, value]) => `<dt>${escape(key)}</dt><dd>${escape(value)}</dd>`)
      .join('')}</dl>`,
    ...(log.length === 0
      ? []
      : [
          figure('Loss', {
            y: { type: 'log', label: 'loss', tickFormat: '.2~f' },
            x: { label: 'images seen' },
            color: { legend: true },
            marks: curve(losses, 'loss'),
          }),
        ]),
    ...(denoised.length === 0
      ? []
      : [
          figure('PSNR of held-out images after one denoising step, averaged weights', {
            y: { label: 'dB' },
            x: { label: 'images seen' },
            color: { legend: true },
            marks: curve(denoised, 'dB'),
          }),
        ]),
    ...(last === undefined
      ? []
      : [
          `<figure><figcaption>Drawn from the prior, ${Number.parseInt(last, 10)} images seen</figcaption><img alt="samples" src="data:image/png;base64,${readFileSync(join(samples, last)).toString('base64')}"></figure>`,
        ]),
  ];
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(title)}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:760px;margin:2rem auto;padding:0 1rem;color:#222}dt{font-weight:600}dd{margin:0 0 .5rem}figure{margin:2rem 0}img{width:100%;max-width:512px;image-rendering:pixelated}</style>
${parts.join('\n')}
</html>
`;
}

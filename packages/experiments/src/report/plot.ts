import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { html, raw, type Html } from './html.ts';

export const ink = 'var(--ink)';
export const faint = 'var(--muted)';
export const accent = 'var(--accent)';
export const paper = 'var(--paper)';

/** A plot as SVG with its caption above, and what may stand below; colours and fonts are the page's. */
export function plotFigure(
  caption: Html | string,
  label: string,
  options: Plot.PlotOptions,
  below: Html | null = null,
): Html {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const svg = Plot.plot({ document, className: 'plot', ...options });
  for (const style of svg.querySelectorAll('style')) style.remove();
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', label);
  return html`<figure><figcaption>${caption}</figcaption>${raw(svg.outerHTML)}${below}</figure>`;
}

/** Whether positive values reach over so many times their least. */
export const spans = (values: readonly number[], times: number): boolean => {
  const least = Math.min(...values);
  return least > 0 && Math.max(...values) / least >= times;
};

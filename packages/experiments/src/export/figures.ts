/** The figures of a report as SVG files that stand alone. */
import { join } from 'node:path';
import { parseHTML } from 'linkedom';
import { OTHER_OUT } from './place.ts';
import { writeWhole } from '@tweedie/files';
import { escapeHtml } from '../report/html.ts';
import { style } from '../report/style.ts';

/** The colours of the page by day: those that its style sheet names first. */
const colours: ReadonlyMap<string, string> = new Map(
  [...(style.split('}')[0] ?? '').matchAll(/(--[a-z]+): (#[0-9a-f]+)/g)].map(([, name = '', value = '']) => [
    name,
    value,
  ]),
);

const FONT = 'Helvetica, Arial, sans-serif';

/** The file name of a figure: where in the report it stands, and what it shows. */
const nameOf = (number: number, label: string): string => {
  const words = label.replace(/[^A-Za-z0-9.]+/g, '-').replace(/^-|-$/g, '');
  return `${String(number).padStart(2, '0')} ${words.slice(0, 60)}`.replaceAll(' ', '-');
};

type Named = { readonly name: string; readonly stroke: string; readonly dash: string };
const LINE = 18;

/** The names of the lines of a figure as SVG, from `top` on: on the page they stand beside it. */
const legendOf = (names: readonly Named[], top: number): string =>
  names
    .map(({ name, stroke, dash }, i) => {
      const y = top + LINE * (i + 0.5);
      return `<g><line x1="20" x2="46" y1="${y}" y2="${y}" stroke="${stroke}" stroke-width="2.4" stroke-dasharray="${dash}"/><text x="54" y="${y}" dy="0.32em" text-anchor="start" font-size="12" fill="${colours.get('--ink')}">${escapeHtml(name)}</text></g>`;
    })
    .join('');

/** Every figure of a report's page: what it is called, and its SVG. */
const figuresOf = (page: string): readonly { readonly name: string; readonly svg: string }[] => {
  const { document } = parseHTML(page);
  return [...document.querySelectorAll('figure svg.plot')].map((svg, i) => {
    const label = svg.getAttribute('aria-label') ?? 'figure';
    const section = svg.closest('section');
    const legend = svg.closest('figure')?.querySelector('.legend') ?? section?.querySelector(':scope > .legend');
    const names = [...(legend?.querySelectorAll('li') ?? [])].map((item): Named => {
      const line = item.querySelector('line');
      return {
        name: item.textContent ?? '',
        stroke: line?.getAttribute('stroke') ?? '',
        dash: line?.getAttribute('stroke-dasharray') ?? '',
      };
    });
    const [width, height] = ['width', 'height'].map((side) => Number(svg.getAttribute(side)));
    const whole = (height ?? 0) + LINE * names.length;
    svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
    svg.setAttribute('font-family', FONT);
    svg.setAttribute('height', String(whole));
    svg.setAttribute('viewBox', `0 0 ${width} ${whole}`);
    svg.removeAttribute('class');
    const text = String(svg.outerHTML)
      .replace(/<\/svg>$/, () => `${legendOf(names, height ?? 0)}</svg>`)
      .replace(/var\((--[a-z]+)\)/g, (_, name: string) => colours.get(name) ?? 'currentColor')
      .replaceAll('&nbsp;', '&#160;');
    const title = `${section?.querySelector('h2')?.textContent ?? ''} ${label}`;
    return { name: nameOf(i + 1, title), svg: `<?xml version="1.0" encoding="UTF-8"?>\n${text}\n` };
  });
};

/** Writes the figures of a page into `figures`; gives their paths. */
export const exportFigures = (page: string, folder: string): readonly string[] =>
  figuresOf(page).map(({ name, svg }) => {
    const path = join(folder, 'figures', `${name}.svg`);
    writeWhole(path, svg, OTHER_OUT);
    return path;
  });

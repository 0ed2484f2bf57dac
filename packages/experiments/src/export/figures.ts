/** The figures of a report as files that stand alone, SVG and PDF. */
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

type Figure = { readonly name: string; readonly title: string; readonly svg: string };

/** Every figure of a report's page: what its file is called, what it shows, and its SVG. */
const figuresOf = (page: string): readonly Figure[] => {
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
      .replaceAll('&nbsp;', '&#160;')
      // The parser of HTML writes all names of elements small; SVG knows this one otherwise, and clips by no other.
      .replaceAll(/(<\/?)clippath\b/g, '$1clipPath');
    const title = `${section?.querySelector('h2')?.textContent ?? ''} ${label}`;
    return { name: nameOf(i + 1, title), title, svg: `<?xml version="1.0" encoding="UTF-8"?>\n${text}\n` };
  });
};

/** What was written, and the characters that the font of the PDFs lacks. */
export type WrittenFigures = { readonly files: readonly string[]; readonly missing: readonly string[] };

/** Writes the figures of a page into `figures`, each as SVG and as PDF. */
export const exportFigures = async (page: string, folder: string): Promise<WrittenFigures> => {
  const figures = figuresOf(page);
  if (figures.length === 0) return { files: [], missing: [] };
  const { pdfWriter } = await import('./pdf.ts');
  const toPdf = pdfWriter();
  const files: string[] = [];
  const missing = new Set<string>();
  for (const { name, title, svg } of figures) {
    const { pdf, missing: absent } = await toPdf(svg, title);
    absent.forEach((character) => missing.add(character));
    for (const [ending, content] of Object.entries({ svg, pdf })) {
      const path = join(folder, 'figures', `${name}.${ending}`);
      writeWhole(path, content, OTHER_OUT);
      files.push(path);
    }
  }
  return { files, missing: [...missing] };
};

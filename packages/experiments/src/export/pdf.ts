/** Figures as PDF: lines stay lines, and text is text in a font that the file brings. */
import { readFileSync } from 'node:fs';
import { create as readFont } from 'fontkit';
import { DOMParser } from 'linkedom';
import PDFDocument from 'pdfkit';
import { unpackWoff } from './woff.ts';

/** What is used of a DOM, whose types the tree does not load. */
type Element = {
  readonly localName: string;
  readonly textContent: string | null;
  readonly children: Iterable<Element>;
  readonly attributes: Iterable<{ readonly name: string; readonly value: string }>;
};
type Attributes = Readonly<Record<string, string>>;
type Draw = (doc: PDFKit.PDFDocument, attributes: Attributes, element: Element) => void;

/** DejaVu Sans: Latin, Greek and Cyrillic letters and the signs of mathematics; free to embed. */
const fontFile = (): URL =>
  new URL(import.meta.resolve('@fontsource/dejavu-sans/files/dejavu-sans-latin-400-normal.woff'));
/** DejaVu Sans is wider and taller at one size than Helvetica, which the figures are laid out for. */
const FONT_SCALE = 0.9;
/** Points of an SVG pixel. */
const POINTS = 0.75;

/** What a group hands on to what is in it, with SVG's defaults. */
const inherited: Attributes = {
  fill: 'currentColor',
  'fill-opacity': '1',
  stroke: 'none',
  'stroke-opacity': '1',
  'stroke-width': '1',
  'stroke-dasharray': 'none',
  'stroke-linecap': 'butt',
  'stroke-linejoin': 'miter',
  'stroke-miterlimit': '4',
  'font-size': '16',
  'text-anchor': 'start',
};
/** What says nothing of the drawing, or is the same everywhere. */
const silent = /^(xmlns|width|height|viewBox|role|aria-.*|font-family|font-variant|paint-order)$/;

const number = (attributes: Attributes, name: string): number => {
  const text = attributes[name] ?? '0';
  const value = Number.parseFloat(text);
  return text.endsWith('em') ? value * Number(attributes['font-size']) : value;
};

const colour = (value: string): string => (value === 'currentColor' ? '#000000' : value);

/** Fills a shape and draws its outline. PDF wants colours and widths before the first point of a path. */
const painted =
  (closed: boolean, shape: (doc: PDFKit.PDFDocument, of: Attributes) => void): Draw =>
  (doc, of) => {
    const { fill = 'none', stroke = 'none', 'stroke-dasharray': dashes = '' } = of;
    const filled = closed && fill !== 'none';
    if (filled) doc.fillColor(colour(fill)).fillOpacity(number(of, 'fill-opacity'));
    if (stroke !== 'none') {
      doc.strokeColor(colour(stroke)).strokeOpacity(number(of, 'stroke-opacity'));
      doc.lineWidth(number(of, 'stroke-width')).miterLimit(number(of, 'stroke-miterlimit'));
      doc.lineCap(of['stroke-linecap'] === 'round' ? 'round' : 'butt');
      doc.lineJoin(of['stroke-linejoin'] === 'round' ? 'round' : 'miter');
      // PDFKit's own call takes one dash and one gap.
      if (/^[\d., ]+$/.test(dashes)) doc.addContent(`[${dashes.replaceAll(',', ' ')}] 0 d`);
    }
    shape(doc, of);
    if (filled && stroke !== 'none') doc.fillAndStroke(colour(fill), colour(stroke));
    else if (filled) doc.fill();
    else if (stroke !== 'none') doc.stroke();
    else doc.addContent('n');
  };

/** The elements that figures of a report are made of. */
const elements: Readonly<Record<string, { readonly own: readonly string[]; readonly draw: Draw }>> = {
  svg: { own: [], draw: () => {} },
  g: { own: [], draw: () => {} },
  line: {
    own: ['x1', 'x2', 'y1', 'y2'],
    draw: painted(false, (doc, of) => {
      doc.moveTo(number(of, 'x1'), number(of, 'y1')).lineTo(number(of, 'x2'), number(of, 'y2'));
    }),
  },
  circle: {
    own: ['cx', 'cy', 'r'],
    draw: painted(true, (doc, of) => doc.circle(number(of, 'cx'), number(of, 'cy'), number(of, 'r'))),
  },
  path: { own: ['d'], draw: painted(true, (doc, of) => doc.path(of['d'] ?? '')) },
  text: {
    own: ['x', 'y', 'dx', 'dy'],
    draw: (doc, of, { textContent }) => {
      const text = textContent ?? '';
      doc.fontSize(FONT_SCALE * number(of, 'font-size'));
      doc.fillColor(colour(of['fill'] ?? '')).fillOpacity(number(of, 'fill-opacity'));
      const before = { start: 0, middle: 0.5, end: 1 }[of['text-anchor'] ?? ''] ?? 0;
      const x = number(of, 'x') + number(of, 'dx') - before * doc.widthOfString(text);
      doc.text(text, x, number(of, 'y') + number(of, 'dy'), { lineBreak: false, baseline: 'alphabetic' });
    },
  },
};

const move = (doc: PDFKit.PDFDocument, transform: string): void => {
  for (const [, name, numbers = ''] of transform.matchAll(/(\w+)\(([^)]*)\)/g)) {
    const [x = 0, y = 0] = numbers.split(/[\s,]+/).map(Number);
    if (name === 'translate') doc.translate(x, y);
    else if (name === 'rotate') doc.rotate(x);
    else throw new Error(`The figure is moved by ${name}; translate and rotate are known.`);
  }
};

/** Rectangles that what refers to them is cut by, by their references. */
type Clips = ReadonlyMap<string, Attributes>;

const attributesOf = ({ attributes }: Element): Attributes =>
  Object.fromEntries([...attributes].map(({ name, value }) => [name, value]));

const clipsOf = (elements: Iterable<Element>): Clips =>
  new Map(
    [...elements].map((element) => {
      const [shape, more] = element.children;
      const id = attributesOf(element)['id'] ?? '';
      if (shape?.localName !== 'rect' || more !== undefined)
        throw new Error(`The figure is cut by #${id}, which is no rectangle.`);
      return [`url(#${id})`, attributesOf(shape)];
    }),
  );

const clip = (doc: PDFKit.PDFDocument, reference: string | undefined, clips: Clips): void => {
  if (reference === undefined) return;
  const of = clips.get(reference);
  if (of === undefined) throw new Error(`The figure is cut by ${reference}, which it does not have.`);
  doc.rect(number(of, 'x'), number(of, 'y'), number(of, 'width'), number(of, 'height')).clip();
};

const draw = (doc: PDFKit.PDFDocument, element: Element, from: Attributes, clips: Clips): void => {
  const { localName } = element;
  // The first is what a pointer shows on the page; the second draws nothing where it stands.
  if (localName === 'title' || localName === 'clipPath') return;
  const kind = elements[localName];
  if (kind === undefined)
    throw new Error(`The figure has <${localName}>; ${Object.keys(elements).join(', ')} are known.`);
  const passed: Record<string, string> = { ...from };
  const own: Record<string, string> = {};
  for (const { name, value } of element.attributes) {
    if (name in inherited) passed[name] = value;
    else if (name === 'transform' || name === 'clip-path' || kind.own.includes(name)) own[name] = value;
    else if (!silent.test(name))
      throw new Error(`The figure has <${localName} ${name}="${value}">, which is not known.`);
  }
  doc.save();
  move(doc, own['transform'] ?? '');
  clip(doc, own['clip-path'], clips);
  kind.draw(doc, { ...passed, ...own }, element);
  if (localName !== 'text') for (const child of element.children) draw(doc, child, passed, clips);
  doc.restore();
};

/** A figure as PDF, and the characters of its text that the font lacks: those are boxes. */
export type FigurePdf = { readonly pdf: Buffer; readonly missing: readonly string[] };

/**
 * A writer of PDFs, one page as large as the figure, of what `figures.ts` writes as SVG; another SVG is an error that
 * names what is not known. The bytes follow from figure and title alone: the date in them is that of no day.
 */
export const pdfWriter = (): ((svg: string, title: string) => Promise<FigurePdf>) => {
  const font = unpackWoff(readFileSync(fontFile()));
  const read = readFont(font);
  if (!('characterSet' in read)) throw new Error('DejaVu Sans is several fonts; one is expected.');
  const known = new Set(read.characterSet);
  return async (svg, title) => {
    const { documentElement } = new DOMParser().parseFromString(svg, 'image/svg+xml');
    const root: Element = documentElement;
    const [width = 0, height = 0] = ['width', 'height'].map((side) => Number(documentElement.getAttribute(side)));
    // Without a date PDFKit would write the present one, and take the file's identifier from it.
    const info = { Title: title, Creator: 'Tweedie', CreationDate: new Date(0) };
    const doc = new PDFDocument({ size: [POINTS * width, POINTS * height], margin: 0, info });
    const parts: Buffer[] = [];
    const written = new Promise<void>((resolve, reject) => {
      doc.on('data', (part: Buffer) => parts.push(part));
      doc.on('end', resolve).on('error', reject);
    });
    doc.font(font).scale(POINTS);
    draw(doc, root, inherited, clipsOf(documentElement.querySelectorAll('clipPath')));
    doc.end();
    await written;
    const texts = [...documentElement.querySelectorAll('text')].map((text: Element) => text.textContent ?? '');
    const missing = [...new Set(texts.join(''))].filter((character) => !known.has(character.codePointAt(0) ?? 0));
    return { pdf: Buffer.concat(parts), missing };
  };
};

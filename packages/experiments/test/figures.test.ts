import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { parseHTML } from 'linkedom';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { exportFigures } from '../src/export/figures.ts';
import { pdfWriter } from '../src/export/pdf.ts';
import { renderReport } from '../src/report/render.ts';
import type { RowSummary } from '../src/results/summary.ts';
import { sampleReport } from './report-sample.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-figures-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => void vi.useRealTimers());

/** The streams of a PDF that PDFKit compressed, as text. */
const streamsOf = (pdf: Buffer): string[] =>
  [...pdf.toString('latin1').matchAll(/\/FlateDecode\n>>\nstream\n([\s\S]*?)\nendstream/g)].map(([, packed]) =>
    inflateSync(Buffer.from(packed!, 'latin1')).toString('latin1'),
  );
const drawingOf = (pdf: Buffer): string => streamsOf(pdf).find((stream) => stream.startsWith('1 0 0 -1 0 '))!;

/** The texts of a PDF as a reader takes them out: glyphs by the font's own table of characters. */
const textsOf = (pdf: Buffer): string[] => {
  const table = streamsOf(pdf).find((stream) => stream.includes('begincmap'))!;
  const characters = [...table.matchAll(/<([0-9a-f]{4})> <[0-9a-f]{4}> \[(.*?)\]/g)].flatMap(([, first, list]) =>
    [...list!.matchAll(/<([0-9a-f]*)>/g)].map(([, units], i): [number, string] => [
      Number.parseInt(first!, 16) + i,
      Buffer.from(units!, 'hex').swap16().toString('utf16le'),
    ]),
  );
  const known = new Map(characters);
  return [...drawingOf(pdf).matchAll(/^BT$([\s\S]*?)^ET$/gm)].map(([, block]) =>
    [...block!.matchAll(/<([0-9a-f]+)>/g)]
      .flatMap(([, glyphs]) => glyphs!.match(/.{4}/g)!.map((glyph) => known.get(Number.parseInt(glyph, 16))))
      .join(''),
  );
};

/** A page with figures of all kinds: scores, sweeps with more lines than colours, searches, signals, energies. */
const everyFigure = async (label = 'DPS'): Promise<string> => {
  const sample = await sampleReport({ pictured: 0 });
  const [first] = sample.rows as [RowSummary];
  const { operator, sigmaY } = first;
  const swept = [...'abcdefghijklmnopqrstuvwxyzA'].flatMap((form) =>
    [0.1, 1, 10].map((scale): RowSummary => ({
      ...first,
      label: `${label} scale=${scale} form=${form}`,
      misfit: { n: 16, mean: 1 + 1 / scale, ci95: 0.1 },
      sweep: { label, values: { scale, form } },
    })),
  );
  const tried = { options: { scale: [1, 0.1, 10] }, images: [16, 8, 4], score: [25, 24, 11], toChosen: [0, -0.7, -14] };
  const found = {
    metric: 'psnr',
    value: 25,
    better: 'higher',
    images: 'prior 16',
    budget: 9,
    spent: 9,
    seed: 0,
    tried,
  } as const;
  const results = [{ label: 'exact', samples: [[0, 1, 1, 1]] }];
  const result = {
    energy: [0.1, 1.9, 0],
    bins: { compared: 3, wanted: 3 },
    rmse: 0.1,
    maxError: 0.1,
    barrier: 1.9,
    maxWindowMeanError: 0,
    stdRatioMin: 1,
    stdRatioMax: 1,
  };
  return renderReport({
    ...sample,
    rows: [...sample.rows, { ...first, label: 'tuned', found }, ...swept],
    signals: [
      { name: 'prior 0', truth: [0, 1, 1, 1], problems: [{ operator, sigmaY, measurement: [0.5, 1], results }] },
    ],
    freeEnergy: [
      {
        operator,
        sigmaY,
        centres: [-1, 0, 1],
        truth: [0, 2, 0],
        barrier: 2,
        rows: [{ operator, sigmaY, label: 'exact', method: 'exact', result }],
      },
    ],
  });
};

describe('figures of a report', () => {
  let page: string;
  let files: readonly string[];
  beforeAll(async () => {
    page = await everyFigure();
    ({ files } = await exportFigures(page, folder));
  });

  it('are written as SVG and as PDF, each that the page has', () => {
    const count = parseHTML(page).document.querySelectorAll('figure svg.plot').length;
    expect(count).toBeGreaterThan(10);
    const stems = files.filter((file) => file.endsWith('.svg')).map((file) => file.slice(0, -4));
    expect(stems).toHaveLength(count);
    expect(files).toEqual(stems.flatMap((stem) => [`${stem}.svg`, `${stem}.pdf`]));
  });

  it('have the text of the SVG as text in the PDF, whole strings in a font that is embedded, and no picture', () => {
    const seen = new Set<string>();
    for (const file of files.filter((each) => each.endsWith('.pdf'))) {
      const { document } = parseHTML(readFileSync(file.replace(/pdf$/, 'svg'), 'utf8'));
      // Axes of logarithms have ticks without words.
      const texts = [...document.querySelectorAll('text')]
        .map(({ textContent }) => String(textContent))
        .filter(Boolean);
      const pdf = readFileSync(file);
      expect(textsOf(pdf)).toEqual(texts);
      texts
        .join('')
        .split('')
        .forEach((character) => seen.add(character));
      const raw = pdf.toString('latin1');
      expect(raw).toMatch(/^%PDF-1\.\d\n[\s\S]*\n%%EOF\n$/);
      expect(raw.match(/\/Type \/Page\n/g)).toHaveLength(1);
      expect(raw).toMatch(/\/FontFile2 \d+ 0 R/);
      expect(raw).not.toMatch(/\/Subtype \/Image|\/BaseFont \/Helvetica/);
    }
    expect([...seen]).toEqual(expect.arrayContaining(['−', '.']));
  });

  it('have as many lines and discs in the PDF as in the SVG, at their places', () => {
    for (const file of files.filter((each) => each.endsWith('.pdf'))) {
      const { document } = parseHTML(readFileSync(file.replace(/pdf$/, 'svg'), 'utf8'));
      const drawing = drawingOf(readFileSync(file));
      for (const line of document.querySelectorAll('line')) {
        const [x1, y1, x2, y2] = ['x1', 'y1', 'x2', 'y2'].map((name) => +Number(line.getAttribute(name)).toFixed(6));
        expect(drawing).toContain(`\n${x1} ${y1} m\n${x2} ${y2} l\nS\n`);
      }
      // A disc is four curves; of the lines only those of a spline would be curves.
      const discs = document.querySelectorAll('circle').length;
      expect(drawing.match(/ c$/gm)?.length ?? 0).toBe(4 * discs);
    }
  });

  it('are cut where the page cuts them: by a name that SVG knows', () => {
    const signal = files.find((file) => /prior-0.*\.svg$/.test(file))!;
    const text = readFileSync(signal, 'utf8');
    const [, id] = /<clipPath id="([^"]+)"><rect /.exec(text)!;
    expect(text).toContain(`clip-path="url(#${id})"`);
    const { document } = parseHTML(text);
    const [x, y, width, height] = ['x', 'y', 'width', 'height'].map((name) =>
      document.querySelector('rect')!.getAttribute(name),
    );
    expect(drawingOf(readFileSync(signal.replace(/svg$/, 'pdf')))).toContain(
      `\n${x} ${y} ${width} ${height} re\nW n\n`,
    );
  });

  it('are the same bytes on another day', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(new Date('2031-02-03T04:05:06Z'));
    const again = await exportFigures(page, join(folder, 'again'));
    expect(again.files).toHaveLength(files.length);
    for (const [i, file] of again.files.entries())
      expect(readFileSync(file).equals(readFileSync(files[i]!))).toBe(true);
  });

  it('name the characters that the font of the PDFs lacks', async () => {
    const { missing } = await exportFigures(await everyFigure('方法 σ'), join(folder, 'missing'));
    expect(missing).toEqual(['方', '法']);
  });
});

describe('a PDF', () => {
  const svg = (inner: string): string =>
    `<?xml version="1.0" encoding="UTF-8"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="100" height="50" fill="currentColor">${inner}</svg>\n`;

  it('draws strokes, dashes, fills and moves as the SVG says', async () => {
    const { pdf } = await pdfWriter()(
      svg(`<g stroke="#ff0000" stroke-width="2" transform="translate(5,-5)"><line x1="10" y1="20" x2="30" y2="20" stroke-dasharray="9 3 2 3"/>
        <path d="M1,2L3,4Z" fill="#0000ff" fill-opacity="0.5" stroke="none"/></g><text x="50" y="1em" font-size="10" text-anchor="end">σ ± 1 − 2 × 3 → ↑ ↓ …</text>`),
      'Mine',
    );
    const drawing = drawingOf(pdf);
    expect(drawing).toContain('0.75 0 0 0.75 0 0 cm'); // a pixel is three quarters of a point
    expect(drawing).toContain('1 0 0 1 5 -5 cm');
    expect(drawing).toMatch(/\n1 0 0 SCN\n\/Gs\d gs\n2 w\n4 M\n0 J\n0 j\n\[9 3 2 3\] 0 d\n10 20 m\n30 20 l\nS\n/);
    expect(drawing).toMatch(/\n0 0 1 scn\n\/Gs\d gs\n1 2 m\n3 4 l\nh\nf\n/);
    expect(textsOf(pdf)).toEqual(['σ ± 1 − 2 × 3 → ↑ ↓ …']);
    expect(pdf.toString('latin1')).toContain('/MediaBox [0 0 75 37.5]');
    expect(pdf.toString('latin1')).toContain('\n(Mine)\n');
  });

  it('says what of an SVG it does not know', async () => {
    const write = pdfWriter();
    await expect(write(svg('<rect width="1"/>'), '')).rejects.toThrow(
      'The figure has <rect>; svg, g, line, circle, path, text are known.',
    );
    await expect(write(svg('<g mask="url(#a)"/>'), '')).rejects.toThrow(
      'The figure has <g mask="url(#a)">, which is not known.',
    );
    await expect(write(svg('<g clip-path="url(#a)"/>'), '')).rejects.toThrow('cut by url(#a), which it does not have.');
    await expect(write(svg('<clipPath id="a"><circle r="1"/></clipPath>'), '')).rejects.toThrow(
      'cut by #a, which is no',
    );
    await expect(write(svg('<g transform="skewX(3)"/>'), '')).rejects.toThrow('moved by skewX; translate and rotate');
  });
});

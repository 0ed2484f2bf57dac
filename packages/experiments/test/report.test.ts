import { parseHTML } from 'linkedom';
import { describe, expect, it } from 'vitest';
import type { ReportData } from '../src/report/data.ts';
import { escapeHtml, html } from '../src/report/html.ts';
import { renderReport } from '../src/report/render.ts';
import { decimalsFor, durationDecimals, plain, printed } from '../src/results/numbers.ts';
import type { RowSummary } from '../src/results/summary.ts';
import { sampleReport } from './report-sample.ts';

const { count, fixed, short, signed } = printed;

/** What these tests use of a DOM, whose types the tree does not load. */
type Element = {
  readonly textContent: string | null;
  getAttribute(name: string): string | null;
  querySelector(selector: string): Element | null;
  querySelectorAll(selector: string): ArrayLike<Element>;
};

const domOf = (data: ReportData): Element => parseHTML(renderReport(data)).document;
const textsOf = (root: Element, selector: string): string[] =>
  Array.from(root.querySelectorAll(selector), (element) =>
    (element.textContent ?? '').replaceAll('\u00a0', ' ').trim(),
  );

describe('html', () => {
  it('escapes what is put in, and not what is already HTML', () => {
    expect(html`<b title="${'"&\''}">${'<i>'}${html`<i>${1}</i>`}${['a', null, '<']}</b>`.markup).toBe(
      '<b title="&quot;&amp;&#39;">&lt;i&gt;<i>1</i>a&lt;</b>',
    );
    expect(escapeHtml('a & b')).toBe('a &amp; b');
  });
});

describe('numbers', () => {
  it('are written for a table', () => {
    expect(fixed(-1.255, 1)).toBe('−1.3');
    expect([signed(0.25, 2), signed(-0.25, 2), signed(0.0001, 2)]).toEqual(['+0.25', '−0.25', '0.00']);
    expect([short(40), short(12.64), short(0.05), short(0.000012), short(0)]).toEqual([
      '40',
      '12.6',
      '0.05',
      '1.2e−5',
      '0',
    ]);
    expect([count(100), count(1234567), count(12.5)]).toEqual(['100', '1\u2009234\u2009567', '12.5']);
    expect([durationDecimals([0.3, 12]), durationDecimals([0.02])]).toEqual([1, 4]);
  });

  it('are written for a terminal', () => {
    expect([plain.fixed(-1.255, 1), plain.signed(0.25, 2), plain.signed(-0.25, 2), plain.signed(0, 2)]).toEqual([
      '-1.3',
      '+0.25',
      '-0.25',
      '+0.00',
    ]);
    expect([plain.amount(1234567), plain.amount(-1234), plain.amount(0.063123), plain.amount(12.34, 2)]).toEqual([
      '1,234,567',
      '-1,234',
      '0.0631',
      '12',
    ]);
    expect([
      plain.estimate({ mean: 1.5, ci95: 0.25 }, 2),
      plain.estimate({ mean: 1.5, ci95: null }, 2, plain.signed),
    ]).toEqual(['1.50 ± 0.25', '+1.50']);
  });

  it('have the decimals that their intervals deserve', () => {
    expect([
      decimalsFor([0.59, 0.7], [31]),
      decimalsFor([0.0071], [0.9]),
      decimalsFor([12], [300]),
      decimalsFor([], [31.123]),
      decimalsFor([], []),
    ]).toEqual([2, 4, 0, 2, 2]);
  });
});

describe('renderReport', () => {
  it('shows quality, paired differences and cost of every method', async () => {
    const document = domOf(await sampleReport({ pictured: 0 }));
    const [tied, won] = Array.from(document.querySelectorAll('table.summary'));
    expect(textsOf(tied!, 'tbody th .label')).toEqual(['exact', 'DPS-w', 'DPS 0.3', 'DPS 1.0']);
    expect(textsOf(tied!, '.winner')).toEqual([]);
    expect(textsOf(won!, '.winner')).toEqual(['best', 'best']);
    expect(textsOf(tied!, 'td.tie')).toHaveLength(2);
    const cells = textsOf(won!, 'tbody tr:nth-child(3) td');
    expect(cells[0]).toMatch(/^\d\d\.\d\d ± 0\.\d\dmean of samples/);
    expect(cells[1]).toMatch(/^−\d\.\d\d ± 0\.\d\dp < 0\.001, better on 20 %$/);
    expect(cells.slice(-4)).toEqual(['100', '100', '100', '0.550']);
    expect(textsOf(document, '.verdicts li')[0]).toMatch(
      /^PSNR No winner: exact has the best mean, but the paired difference to DPS-w/,
    );
  });

  it('draws quality and misfit against a swept option, a line for each value of what is swept beside it', async () => {
    const sample = await sampleReport({ pictured: 0 });
    const [first] = sample.rows;
    const swept = (scale: number, form: string, misfit: number): RowSummary => ({
      ...first!,
      label: `DPS scale=${scale} form=${form}`,
      misfit: { n: 16, mean: misfit, ci95: 0.1 },
      sweep: { label: 'DPS', values: { scale, form } },
    });
    const rows = [
      first!,
      swept(0.1, 'norm', 30),
      swept(1, 'norm', 1),
      swept(10, 'norm', 0.9),
      swept(0.1, 'paper', 20),
      swept(1, 'paper', 2),
    ];
    const document = domOf({ ...sample, rows });
    const figures = Array.from(document.querySelectorAll('.figures figure')).filter((figure) =>
      textsOf(figure, 'figcaption')[0]?.includes('against scale'),
    );
    expect(figures.map((figure) => figure.querySelector('svg')!.getAttribute('aria-label'))).toEqual([
      'PSNR (dB) against scale',
      'SSIM against scale',
      'misfit against scale',
    ]);
    for (const figure of figures) {
      expect(textsOf(figure, '.legend li')).toEqual(['DPS form=norm', 'DPS form=paper']);
      expect(figure.querySelectorAll('circle')).toHaveLength(5);
    }
    expect(textsOf(figures[0]!, 'svg text')).toContain('exact');
    expect(textsOf(figures[2]!, 'svg text')).toContain('noise');
    expect(textsOf(document, 'table.summary tbody td')).toContain('30.00');
    expect(renderReport(sample)).not.toContain('against scale');
  });

  it('shows what the search for options saw', async () => {
    const sample = await sampleReport({ pictured: 0 });
    const tried = {
      options: { scale: [1, 0.1, 10, 3], order: [2, 1, 2, 1] },
      images: [16, 8, 4, 4],
      score: [25, 24, 11, null],
      toChosen: [0, -0.7, -14, null],
    };
    const rows = sample.rows.map((row, i): RowSummary =>
      i === 2
        ? {
            ...row,
            found: {
              metric: 'psnr',
              value: 25,
              better: 'higher',
              images: 'prior 16 to 31',
              budget: 10_000,
              spent: 9600,
              seed: 0,
              tried,
            },
          }
        : row,
    );
    const document = domOf({ ...sample, rows });
    const section = document.querySelector('#sensitivity')!;
    expect(textsOf(section, 'figcaption')).toEqual(
      ['scale 1', 'order 2'].map(
        (option) => `DPS 0.3: ${option}3 tried, 1 more failed; psnr minus that of the chosen one`,
      ),
    );
    expect(textsOf(section, 'circle title')).toContain('scale 0.1: −0.70 on 8 images');
    expect(textsOf(section, '.hint')[1]).toBe(
      'Validation images prior 16 to 31. Network forwards spent, a vjp counting as two: DPS 0.3 9\u2009600.',
    );
  });

  it('draws signals as lines', async () => {
    const sample = await sampleReport({ pictured: 0 });
    const [{ operator, sigmaY }] = sample.rows as [RowSummary];
    const results = [
      {
        label: 'DPS-w',
        samples: [
          [0, 1, 2, 1],
          [0, 2, 1, 1],
        ],
      },
      { label: 'exact', samples: [[0, 1, 1, 1]] },
    ];
    const signals = [
      { name: 'prior 0', truth: [0, 1, 1, 1], problems: [{ operator, sigmaY, measurement: [0.5, 1], results }] },
    ];
    const section = domOf({ ...sample, signals }).querySelector('#signals')!;
    expect(textsOf(section, 'figcaption')).toEqual(['exact', 'DPS-w']);
    const [exact, dpsW] = Array.from(section.querySelectorAll('svg'));
    expect([exact!, dpsW!].map((svg) => svg.querySelectorAll('[aria-label="line"] path').length)).toEqual([2, 3]);
    // Two numbers over four places: between the first two, and between the last two.
    const places = Array.from(exact!.querySelectorAll('circle'), (circle) => Number(circle.getAttribute('cx')));
    expect(places[1]! - places[0]!).toBeCloseTo((2 / 3) * 264, 0);
  });

  it('draws no clean signal where only measurements were given, and scales by the samples', async () => {
    const sample = await sampleReport({ pictured: 0 });
    const [{ operator, sigmaY }] = sample.rows as [RowSummary];
    const results = [
      { label: 'exact', samples: [[1, 2]] },
      { label: 'DPS-w', samples: [[-1, 0]] },
    ];
    const signals = [{ name: 'measurement 1', problems: [{ operator, sigmaY, measurement: [0, 0], results }] }];
    const section = domOf({ ...sample, truthUnknown: true, signals }).querySelector('#signals')!;
    expect(section.textContent).toContain('The clean signal is not known');
    const figures = Array.from(section.querySelectorAll('svg'));
    expect(figures.map((svg) => svg.querySelectorAll('[aria-label="line"] path').length)).toEqual([1, 1]);
    expect(figures.map((svg) => svg.querySelector('[aria-label="y-axis tick label"]')?.textContent)).toEqual([
      '−1012',
      '−1012',
    ]);
  });

  it('says why a row was skipped, what failed and where the numbers come from', async () => {
    const document = domOf(await sampleReport({ pictured: 0 }));
    expect(textsOf(document, 'tr.skipped td')).toEqual([
      'Skipped: guidance/dsg needs model.gradient, which this model does not give.',
    ]);
    expect(textsOf(document, 'table.failures tbody td')).toEqual([
      'DPS 1.0',
      'test 2',
      '0',
      '37',
      'x0hat is not finite (first seen at sigma 3.2).',
    ]);
    expect(textsOf(document, '#provenance dt')).toEqual(['commit', 'plugins', 'weights', 'engine']);
    expect(textsOf(document, 'pre code')).toEqual(['npx tweedie compare recipes/quickstart.yaml --samples 8']);
  });

  it('draws every image of the comparison, with its scores and its way from noise', async () => {
    const data = await sampleReport({ pictured: 2 });
    const document = domOf(data);
    expect(document.querySelectorAll('#images tbody tr')).toHaveLength(4);
    expect(textsOf(document, '#images .scored figcaption')).toHaveLength(16);
    expect(textsOf(document, '#images .scored figcaption b')[0]).toBe(
      fixed(data.rows[0]!.metrics.get('psnr')!.perImage[0]!, 2),
    );
    expect(document.querySelectorAll('.strip')).toHaveLength(16);
    expect(document.querySelectorAll('.strip .frames li')).toHaveLength(16 * 8);
    expect(document.querySelector('#step')?.getAttribute('max')).toBe('7');
    expect(document.querySelectorAll('#uncertainty tbody tr')).toHaveLength(8);
  });

  it('plots as many dots and ticks as there are means and scores', async () => {
    const document = domOf(await sampleReport({ pictured: 0 }));
    const figures = Array.from(document.querySelectorAll('.figures svg'));
    expect(figures).toHaveLength(8);
    const [scores, differences] = figures;
    expect(scores!.querySelectorAll('[aria-label="dot"] circle')).toHaveLength(4);
    expect(scores!.querySelectorAll('[aria-label="tick"] line')).toHaveLength(4 * 16);
    expect(differences!.querySelectorAll('[aria-label="tick"] line')).toHaveLength(3 * 16);
    expect(differences!.getAttribute('aria-label')).toBe('PSNR minus that of exact on the same image (dB)');
  });

  it('cuts long labels in the middle, where the values of a sweep stay to be seen', async () => {
    const {
      rows: [first],
      ...data
    } = await sampleReport({ pictured: 0 });
    const rows = [0.1, 0.2].map((scale): RowSummary => ({
      ...first!,
      label: `dps form=norm clamp=false scale=${scale}`,
    }));
    const [scores] = Array.from(domOf({ ...data, rows }).querySelectorAll('.figures svg'));
    expect(textsOf(scores!, 'text').filter((text) => text.startsWith('dps'))).toEqual([
      'dps form=n…e scale=0.1',
      'dps form=n…e scale=0.2',
    ]);
  });

  it('says that a run has not finished', async () => {
    const data = await sampleReport({ pictured: 0 });
    expect(textsOf(domOf(data), '.lead')[0]).not.toContain('Unfinished');
    expect(textsOf(domOf({ ...data, unfinished: { finished: 8, expected: 24 } }), '.lead')[0]).toContain(
      'Unfinished: 8 of 24 samples.',
    );
  });

  it('begins with pictures: other images for each problem, with the first score of every sample', async () => {
    const data = await sampleReport({ pictured: 4 });
    const lines = Array.from(domOf(data).querySelectorAll('table.glance tbody tr'));
    const problems = [...new Set(data.rows.map(({ operator, sigmaY }) => `${operator} ${sigmaY}`))];
    expect(lines.length).toBe(Math.max(1, Math.floor(4 / problems.length)) * Math.min(4, problems.length));
    const names = lines.map((line) => line.querySelector('img')!.getAttribute('alt'));
    expect(new Set(names).size).toBe(Math.min(names.length, 4));
    const scored = data.rows.filter(({ skipped }) => skipped === undefined)[0]!;
    const score = scored.metrics.get(data.metrics[0]!.id)!.perImage[0]!;
    expect(textsOf(lines[0]!, 'figcaption')[0]).toContain(score.toFixed(1));
  });

  it('leaves out what there is not: pictures, failures, intervals, metrics', async () => {
    const {
      rows: [first],
      ...data
    } = await sampleReport({ pictured: 0 });
    const lone: RowSummary = {
      ...first!,
      metrics: new Map([['psnr', { n: 1, mean: 30, ci95: null, best: false, perImage: [30] }]]),
    };
    const vectors = domOf({ ...data, imageShape: [1, 1, 8], imageNames: ['draw 1'], rows: [lone], failures: [] });
    expect(textsOf(vectors, 'h2')).toEqual(['identity σy = 0.05', 'Scores of every image', 'Provenance']);
    expect(vectors.querySelectorAll('img')).toHaveLength(0);
    expect(vectors.querySelectorAll('.figures svg')).toHaveLength(1);
    expect(() => renderReport({ ...data, metrics: [], imageNames: [], rows: [], provenance: [] })).not.toThrow();
  });

  it('makes every string inert', async () => {
    const attack = '</script><script>alert(1)</script><img src=x onerror="alert(1)">\'"&';
    const { rows, images, ...data } = await sampleReport({ pictured: 1 });
    const document = domOf({
      ...data,
      title: attack,
      notes: attack,
      command: attack,
      created: attack,
      provenance: [{ name: attack, value: attack }],
      imageNames: data.imageNames.map((name) => name + attack),
      metrics: data.metrics.map((metric) => ({ ...metric, title: attack, unit: attack })),
      rows: rows.map((row) => ({
        ...row,
        operator: attack,
        label: row.label + attack,
        method: attack,
        options: attack,
        ...(row.skipped === undefined ? {} : { skipped: attack }),
      })),
      images: images.map((image) => ({
        ...image,
        name: attack,
        problems: image.problems.map((problem) => ({
          ...problem,
          operator: attack,
          results: problem.results.map((result) => ({ ...result, label: result.label + attack })),
        })),
      })),
      failures: data.failures.map((failure) => ({
        ...failure,
        operator: attack,
        label: attack,
        image: attack,
        reason: attack,
      })),
    });
    expect(document.querySelectorAll('script')).toHaveLength(1);
    expect(document.querySelectorAll('[onerror]')).toHaveLength(0);
    expect(
      Array.from(document.querySelectorAll('img')).every((image) =>
        image.getAttribute('src')!.startsWith('data:image/png;base64,'),
      ),
    ).toBe(true);
    expect(textsOf(document, 'h1')).toEqual([attack]);
    expect(textsOf(document, 'tbody th .label')[0]).toBe(`exact${attack}`);
  });

  it('refers to nothing outside of itself', async () => {
    const page = renderReport(await sampleReport({ pictured: 1 })).replaceAll(/xmlns(:\w+)?="[^"]*"/g, '');
    expect(page).not.toMatch(/https?:|@import|\burl\((?!#)/);
    expect(page).toContain('default-src &#39;none&#39;');
  });
});

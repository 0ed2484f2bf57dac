import { at } from '@tweedie/core';
import { printed } from '../results/numbers.ts';
import type { IndexMetric } from '../run/run-index.ts';
import type { RowSummary } from '../results/summary.ts';
import type { ReportData, ReportImage, ReportProblem, ReportResult, ReportTrace } from './data.ts';
import { html, type Html } from './html.ts';
import { problemTitle, type ReportRows } from './problems.ts';
import { metricDecimals } from './table.ts';

const { fixed, short } = printed;

/** An image with its pictures of one problem; `results` by label. */
type Shown = {
  readonly image: ReportImage;
  readonly problem: ReportProblem;
  readonly results: ReadonlyMap<string, ReportResult>;
};

/** The images on which one problem has pictures. */
const shownOn = ({ operator, sigmaY }: ReportRows, images: readonly ReportImage[]): readonly Shown[] =>
  images.flatMap((image) =>
    image.problems.flatMap((problem) =>
      problem.operator === operator && problem.sigmaY === sigmaY
        ? [{ image, problem, results: new Map(problem.results.map((result) => [result.label, result])) }]
        : [],
    ),
  );

/** Labels that have a result, in the order of the rows. */
const shownLabels = ({ rows }: ReportRows, shown: readonly Shown[]): readonly string[] =>
  rows.map(({ label }) => label).filter((label) => shown.some(({ results }) => results.has(label)));

const picture = (source: string, alt: string): Html => html`<img src="${source}" alt="${alt}" draggable="false">`;

const truthOf = ({ truth, name }: ReportImage): Html =>
  truth === undefined ? html`<span class="none">not known</span>` : picture(truth, `${name}, ground truth`);

const measurementOf = ({ image, problem: { measurement } }: Shown): Html =>
  measurement
    ? html`<figure>${picture(measurement, `${image.name}, measurement`)}</figure>`
    : html`<span class="none">not a picture</span>`;

/** The most lines that the top of a page has room for. */
const GLANCE = 4;

/** The first images with what every method made of them, a few lines for all problems: what the whole page is about. */
export function glance(problems: readonly ReportRows[], data: ReportData): Html | null {
  const each = Math.max(1, Math.floor(GLANCE / Math.max(1, problems.length)));
  // Each problem shows other images, where there are enough, so that more of them are seen.
  const lines = problems.slice(0, GLANCE).flatMap((problem, p) => {
    const shown = shownOn(problem, data.images);
    const from = shown.length >= (p + 1) * each ? p * each : 0;
    return shown.slice(from, from + each).map((entry) => ({ problem, entry }));
  });
  if (lines.length === 0) return null;
  const labels = [...new Set(problems.flatMap(({ rows }) => rows.map(({ label }) => label)))].filter((label) =>
    lines.some(({ entry }) => entry.results.has(label)),
  );
  const metric = data.metrics[0];
  const cell = (problem: ReportRows, { image, results }: Shown, label: string): Html => {
    const result = results.get(label);
    if (!result) return html`<td><span class="none">none</span></td>`;
    const value = metric && scoreOf(result, image, rowsOf(problem).get(label), data, metric);
    const score = metric && typeof value === 'number' ? printedScore(value, metric, problem) : null;
    return html`<td><figure>${picture(result.sample, `${image.name}, ${label}`)}${score && html`<figcaption>${score}</figcaption>`}</figure></td>`;
  };
  return html`<div class="scroll"><table class="pictures glance">
<thead><tr><td></td><th scope="col">ground truth</th><th scope="col">measurement</th>${labels.map((label) => html`<th scope="col">${label}</th>`)}</tr></thead>
<tbody>
${lines.map(
  (
    { problem, entry },
    line,
  ) => html`<tr><th scope="row" class="kind">${lines[line - 1]?.problem === problem ? null : problemTitle(problem)}</th>
<td>${truthOf(entry.image)}</td><td>${measurementOf(entry)}</td>${labels.map((label) => cell(problem, entry, label))}</tr>
`,
)}</tbody>
</table></div>`;
}

/** Ground truth, measurement and one sample of each method, an image a line. */
export function imageGrid(problem: ReportRows, data: ReportData): Html | null {
  const shown = shownOn(problem, data.images);
  if (shown.length === 0) return null;
  const labels = shownLabels(problem, shown);
  const rows = rowsOf(problem);
  const metrics = data.metrics.map((metric) => ({ metric, decimals: metricDecimals(problem.rows, metric) }));
  return html`<h3>${problemTitle(problem)}</h3>
<div class="scroll"><table class="pictures">
<thead><tr><th scope="col">ground truth</th><th scope="col">measurement</th>${labels.map((label) => html`<th scope="col">${label}</th>`)}</tr></thead>
<tbody>
${shown.map((entry) => {
  const { image, results } = entry;
  return html`<tr><th scope="row"><figure>${truthOf(image)}<figcaption>${image.name}</figcaption></figure></th>
<td>${measurementOf(entry)}</td>${labels.map((label) => {
    const result = results.get(label);
    return html`<td>${result ? scoredPicture(result, image, rows.get(label), metrics, data) : html`<span class="none">none</span>`}</td>`;
  })}</tr>
`;
})}</tbody>
</table></div>`;
}

const rowsOf = ({ rows }: ReportRows): ReadonlyMap<string, RowSummary> => new Map(rows.map((row) => [row.label, row]));

const scoreOf = (
  result: ReportResult,
  image: ReportImage,
  row: RowSummary | undefined,
  { imageNames }: ReportData,
  { id }: IndexMetric,
): number | null =>
  (result.scores ? result.scores[id] : row?.metrics.get(id)?.perImage[imageNames.indexOf(image.name)]) ?? null;

const printedScore = (value: number, metric: IndexMetric, { rows }: ReportRows): string =>
  [fixed(value, metricDecimals(rows, metric)), metric.unit].filter(Boolean).join(' ');

function scoredPicture(
  result: ReportResult,
  image: ReportImage,
  row: RowSummary | undefined,
  metrics: readonly { readonly metric: IndexMetric; readonly decimals: number }[],
  data: ReportData,
): Html {
  const texts = metrics.flatMap(({ metric, decimals }) => {
    const value = scoreOf(result, image, row, data, metric);
    return value === null ? [] : [{ title: metric.title, value: fixed(value, decimals) }];
  });
  const alt = [`${image.name}, ${result.label}`, ...texts.map(({ title, value }) => `${title} ${value}`)].join(', ');
  return html`<figure class="scored" tabindex="0">${picture(result.sample, alt)}${
    texts.length > 0
      ? html`<figcaption aria-hidden="true">${texts.map(({ title, value }) => html`<span>${title} <b>${value}</b></span>`)}</figcaption>`
      : null
  }</figure>`;
}

/** Most frames of any trace in the report: the positions of the slider. */
export const longestTrace = ({ images }: ReportData): number =>
  Math.max(
    0,
    ...images.flatMap(({ problems }) =>
      problems.flatMap(({ results }) => results.map(({ trace }) => trace?.frames.length ?? 0)),
    ),
  );

/** E[x0 | xt] of every method along the way; the page's slider moves the large frames of all of them. */
export function filmStrips(problem: ReportRows, data: ReportData): Html | null {
  const shown = shownOn(problem, data.images).filter((entry) =>
    entry.problem.results.some(({ trace }) => trace && trace.frames.length > 0),
  );
  if (shown.length === 0) return null;
  const labels = shownLabels(problem, shown);
  return html`<h3>${problemTitle(problem)}</h3>
${shown.map(
  ({ image, problem: { measurement }, results }) => html`<div class="film">
<div class="film-head">${truthOf(image)}${measurement ? picture(measurement, `${image.name}, measurement`) : null}<span>${image.name}<span class="about">ground truth${measurement ? ' and measurement' : ''}</span></span></div>
${labels.flatMap((label) => {
  const trace = results.get(label)?.trace;
  return trace && trace.frames.length > 0 ? [strip(label, image.name, trace)] : [];
})}</div>
`,
)}`;
}

function strip(label: string, name: string, { levels, frames }: ReportTrace): Html {
  const last = frames.length - 1;
  const level = (index: number): string => `σ ${short(at(levels, index, 'noise level of a frame'))}`;
  return html`<div class="strip"><div class="strip-label">${label}<span class="about level">${level(last)}</span></div>
<div class="now">${picture(at(frames, last, 'frame'), `${name}, ${label}, estimate at the chosen level`)}</div>
<ol class="frames">${frames.map((frame, index) => html`<li${index === last ? html` class="current"` : null} data-level="${level(index)}">${picture(frame, `${name}, ${label}, ${level(index)}`)}<span>${level(index)}</span></li>`)}</ol></div>
`;
}

/** Mean and standard deviation over the samples of an image, where there are several. */
export function uncertaintyMaps(problem: ReportRows, { images }: ReportData): Html | null {
  const shown = shownOn(problem, images).filter((entry) => entry.problem.results.some(({ mean, std }) => mean || std));
  if (shown.length === 0) return null;
  const labels = shownLabels(problem, shown);
  const cells = (results: Shown['results'], name: string, kind: 'mean' | 'std', words: string) =>
    labels.map((label) => {
      const source = results.get(label)?.[kind];
      return html`<td>${source ? html`<figure>${picture(source, `${name}, ${label}, ${words}`)}</figure>` : html`<span class="none">none</span>`}</td>`;
    });
  return html`<h3>${problemTitle(problem)}</h3>
<div class="scroll"><table class="pictures uncertainty">
<thead><tr><th scope="col">ground truth</th><td></td>${labels.map((label) => html`<th scope="col">${label}</th>`)}</tr></thead>
${shown.map(
  ({ image, problem: { stdWhite }, results }) => html`<tbody>
<tr><th scope="rowgroup" rowspan="2"><figure>${truthOf(image)}<figcaption>${image.name}</figcaption></figure></th><th scope="row" class="kind">mean</th>${cells(results, image.name, 'mean', 'mean of the samples')}</tr>
<tr><th scope="row" class="kind">standard deviation${stdWhite === undefined ? null : html`<span class="about">white is ${short(stdWhite)}</span>`}</th>${cells(results, image.name, 'std', 'standard deviation of the samples')}</tr>
</tbody>`,
)}
</table></div>`;
}

import { decimalsFor, durationDecimals, printed } from '../results/numbers.ts';
import type { MetricSummary } from '../results/compare-rows.ts';
import { whyUnmeasured, type Failure, type RowCost, type RowSummary } from '../results/summary.ts';
import type { IndexMetric } from '../run/run-index.ts';
import type { ReportData } from './data.ts';
import { html, type Html } from './html.ts';
import { problemTitle, referenceLabel, type ReportRows } from './problems.ts';

const { count, fixed, signed } = printed;

/** Decimals of one metric on one problem, so that a column lines up. */
export function metricDecimals(rows: readonly RowSummary[], metric: IndexMetric): number {
  const scores = rows.flatMap((row) => row.metrics.get(metric.id) ?? []);
  return decimalsFor(
    scores.flatMap((score) => score.ci95 ?? []),
    scores.map((score) => score.mean),
  );
}

/** Title with its direction and unit: `PSNR ↑ dB`. */
const metricTitle = ({ title, better, unit }: IndexMetric): Html =>
  html`${title}&nbsp;<span class="direction" title="${better} is better">${better === 'higher' ? '↑' : '↓'}</span>${unit ? html` <span class="unit">${unit}</span>` : null}`;

/** Header of a column that the page's script makes sortable; `first` is the order of the first click. */
const sortable = (column: number, first: 'ascending' | 'descending', content: Html, rows = 1): Html =>
  html`<th scope="col" data-column="${column}" data-first="${first}" rowspan="${rows}">${content}</th>`;

const costColumns = [
  { key: 'equivalents', title: 'forwards + 2 vjps' },
  { key: 'forwards', title: 'forwards' },
  { key: 'vjps', title: 'vjps' },
  { key: 'operatorCalls', title: 'operator calls' },
  { key: 'secondsPerSample', title: 'seconds' },
] as const;

/** Quality, paired difference to the best mean, misfit and cost of every method on one problem. */
export function summaryTable({ rows }: ReportRows, metrics: readonly IndexMetric[]): Html {
  const hasMisfit = rows.some(({ misfit }) => misfit);
  const firstCost = 1 + 2 * metrics.length + (hasMisfit ? 1 : 0);
  const better = ({ better }: IndexMetric) => (better === 'higher' ? 'descending' : 'ascending');
  const secondsDecimals = durationDecimals(rows.flatMap(({ cost }) => cost?.secondsPerSample ?? []));
  const show = (key: keyof RowCost, value: number): string =>
    key === 'secondsPerSample' ? fixed(value, secondsDecimals) : count(value);
  const columns = metrics.map((metric) => ({
    metric,
    decimals: metricDecimals(rows, metric),
    reference: referenceLabel(rows, metric),
  }));
  return html`<div class="scroll"><table class="summary sortable">
<thead>
<tr>${sortable(0, 'ascending', html`method`, 2)}${metrics.map((metric) => html`<th scope="colgroup" colspan="2" class="group">${metricTitle(metric)}</th>`)}${hasMisfit ? html`<th scope="colgroup" class="group">data</th>` : null}<th scope="colgroup" colspan="5" class="group">cost per sample</th></tr>
<tr>${metrics.map((metric, index) => [
    sortable(1 + 2 * index, better(metric), html`mean ± 95\u00a0%\u00a0CI`),
    sortable(2 + 2 * index, better(metric), html`paired difference`),
  ])}${hasMisfit ? sortable(firstCost - 1, 'ascending', html`<span title="norm of y - A(x) over that of the noise; 1 is the noise level">misfit</span>`) : null}${costColumns.map(({ title }, index) => sortable(firstCost + index, 'ascending', html`${title}`))}</tr>
</thead>
<tbody>
${rows.map(
  (row) => html`<tr${row.skipped !== undefined ? html` class="skipped"` : null}>
<th scope="row" data-value="${row.label}">${methodName(row)}</th>${
    row.skipped !== undefined
      ? html`<td colspan="${firstCost + 4}" class="reason">Skipped: ${row.skipped}</td>`
      : [
          columns.map(({ metric, decimals, reference }) =>
            scoreCells(row, row.metrics.get(metric.id), decimals, reference),
          ),
          hasMisfit
            ? html`<td data-value="${row.misfit?.mean}" class="first">${row.misfit ? fixed(row.misfit.mean, 2) : '–'}</td>`
            : null,
          costColumns.map(
            ({ key }, index) =>
              html`<td data-value="${row.cost?.[key]}"${index === 0 ? html` class="first"` : null}>${row.cost ? show(key, row.cost[key]) : '–'}</td>`,
          ),
        ]
  }</tr>
`,
)}</tbody>
</table></div>`;
}

function methodName(row: RowSummary): Html {
  const id = row.method.replace(/^guidance\//, '');
  const about = [
    row.label.toLowerCase() === id ? '' : id,
    row.options,
    row.skipped === undefined ? `${row.steps} steps` : '',
  ]
    .filter((text) => text !== '')
    .join(', ');
  return html`<span class="label">${row.label}</span>${about ? html`<span class="about">${about}</span>` : null}${
    row.failed.length > 0 ? html`<a class="failed" href="#failures">${row.failed.length} failed</a>` : null
  }${row.unmeasured ? html`<span class="failed">${whyUnmeasured(row)}</span>` : null}`;
}

function scoreCells(
  row: RowSummary,
  score: MetricSummary | undefined,
  decimals: number,
  reference: string | undefined,
): Html {
  if (!score) return html`<td data-value="" class="score first">–</td><td data-value="">–</td>`;
  const { mean, ci95, ofMean, spread, rate, difference, best } = score;
  const quality = html`<td data-value="${mean}" class="score first${best ? ' best' : ''}">${best ? html`<span class="winner">best</span>` : null}${rate ? html`${rate.hits} of ${rate.of}<span class="ci"> ${fixed(100 * rate.low, 0)} to ${fixed(100 * rate.high, 0)}\u00a0%</span>` : html`${fixed(mean, decimals)}${plusMinus(ci95, decimals)}`}${
    spread
      ? html`<span class="about"><span class="nowrap">sd within an image ${fixed(spread.within, decimals)},</span> <span class="nowrap">between images ${fixed(spread.between, decimals)}</span></span>`
      : null
  }${
    ofMean
      ? html`<span class="about">mean of samples <span class="nowrap">${fixed(ofMean.mean, decimals)}${plusMinus(ofMean.ci95, decimals)}</span></span>`
      : null
  }</td>`;
  if (!difference) {
    return html`${quality}<td data-value="0" class="difference">${row.label === reference ? html`<span class="about">${best || row.truth ? 'reference' : 'best mean'}</span>` : '–'}</td>`;
  }
  const { pHolm, winRate } = difference;
  const about = [
    pHolm === undefined ? '' : pHolm < 0.001 ? 'p\u00a0<\u00a00.001' : `p\u00a0=\u00a0${fixed(pHolm, 3)}`,
    `better\u00a0on\u00a0${Math.round(100 * winRate)}\u00a0%`,
  ]
    .filter((text) => text !== '')
    .join(', ');
  return html`${quality}<td data-value="${difference.mean}" class="difference${isResolved(difference) ? '' : ' tie'}">${signed(difference.mean, decimals)}${plusMinus(difference.ci95, decimals)}${
    about ? html`<span class="about">${about}</span>` : null
  }</td>`;
}

const plusMinus = (ci95: number | null, decimals: number): Html | null =>
  ci95 === null ? null : html`<span class="ci"> ± ${fixed(ci95, decimals)}</span>`;

/** Whether the interval of a paired difference leaves zero out. */
export const isResolved = ({ mean, ci95 }: { readonly mean: number; readonly ci95: number | null }): boolean =>
  ci95 !== null && Math.abs(mean) > ci95;

/** The outcome of each metric in a sentence: who is best, or why nobody is. */
export function verdicts({ rows }: ReportRows, metrics: readonly IndexMetric[]): Html {
  const [unmarked] = rows.flatMap((row) => row.unmarked ?? []);
  if (unmarked !== undefined) return html`<ul class="verdicts"><li>No row is marked: ${unmarked}.</li></ul>`;
  if (rows.some(({ distance }) => distance !== undefined)) return distanceVerdict(rows);
  const sentences = metrics.flatMap((metric) => {
    const winner = rows.find((row) => row.metrics.get(metric.id)?.best);
    const reference = referenceLabel(rows, metric);
    const rivals = rows.filter((row) => {
      const difference = row.metrics.get(metric.id)?.difference;
      return difference !== undefined && !isResolved(difference);
    });
    if (winner)
      return [
        html`<b>${metric.title}</b> ${winner.label} is best; every other interval of a paired difference excludes zero.`,
      ];
    if (reference === undefined || rivals.length === 0) return [];
    return [
      html`<b>${metric.title}</b> No winner: ${reference} has the best mean, but the paired difference to ${list(rivals.map(({ label }) => label))} is not resolved.`,
    ];
  });
  return html`${sentences.length > 0 ? html`<ul class="verdicts">${sentences.map((sentence) => html`<li>${sentence}</li>`)}</ul>` : null}`;
}

/** The outcome where distance to the posterior decides. */
function distanceVerdict(rows: readonly RowSummary[]): Html {
  const winner = rows.find(({ distance }) => distance?.best);
  const closest = rows.find(({ distance }) => distance && !distance.difference);
  const rivals = rows.filter(({ distance }) => distance?.difference && !isResolved(distance.difference));
  const sentence = winner
    ? html`${winner.label} is closest to the posterior; every other interval of a paired difference excludes zero.`
    : html`No winner: ${closest?.label ?? '–'} is closest to the posterior, but the paired difference to ${list(rivals.map(({ label }) => label))} is not resolved.`;
  return html`<ul class="verdicts"><li><b>Sliced W1</b> ${sentence}</li></ul>`;
}

function list(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
}

/** Score of every image under every method that ran on one problem. */
export function imageScoresTable(
  { rows }: ReportRows,
  { metrics, imageNames }: Pick<ReportData, 'metrics' | 'imageNames'>,
): Html {
  const done = rows.filter(({ skipped }) => skipped === undefined);
  const columns = metrics.flatMap((metric) => {
    const decimals = metricDecimals(rows, metric);
    return done.map((row, index) => ({ metric, row, first: index === 0, decimals }));
  });
  return html`<div class="scroll tall"><table class="scores sortable">
<thead>
<tr>${sortable(0, 'ascending', html`image`, 2)}${metrics.map((metric) => html`<th scope="colgroup" colspan="${done.length}" class="group">${metricTitle(metric)}</th>`)}</tr>
<tr>${columns.map(({ metric, row }, index) => sortable(1 + index, metric.better === 'higher' ? 'descending' : 'ascending', html`${row.label}`))}</tr>
</thead>
<tbody>
${imageNames.map(
  (name, image) => html`<tr><th scope="row" data-value="${name}">${name}</th>${columns.map(
    ({ metric, row, first, decimals }) => {
      const score = row.metrics.get(metric.id)?.perImage[image] ?? null;
      return html`<td data-value="${score}"${first ? html` class="first"` : null}>${score === null ? '–' : fixed(score, decimals)}</td>`;
    },
  )}</tr>
`,
)}</tbody>
</table></div>`;
}

export function failuresTable(failures: readonly Failure[]): Html {
  const columns = ['problem', 'method', 'image', 'sample', 'step', 'what happened'];
  return html`<div class="scroll"><table class="failures sortable">
<thead><tr>${columns.map((title, index) => sortable(index, 'ascending', html`${title}`))}</tr></thead>
<tbody>
${failures.map(
  (
    failure,
  ) => html`<tr><th scope="row" data-value="${failure.operator} ${failure.sigmaY}">${problemTitle(failure)}</th>${[
    failure.label,
    failure.image,
  ].map(
    (text) => html`<td data-value="${text}" class="text">${text}</td>`,
  )}${[failure.sample, failure.step].map((number) => html`<td data-value="${number}">${number}</td>`)}<td data-value="${failure.reason}" class="text">${failure.reason}</td></tr>
`,
)}</tbody>
</table></div>`;
}

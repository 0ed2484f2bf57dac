import { MODES } from '../run/measure-keys.ts';
import { measures, type Measure } from '../statistics/measures.ts';
import { decimalsFor, printed } from '../results/numbers.ts';
import type { MeasureSummary } from '../results/posterior.ts';
import type { RowSummary } from '../results/summary.ts';
import { html, type Html } from './html.ts';
import { problemTitle, type ReportRows } from './problems.ts';

const { fixed } = printed;
const goalOf = ({ goal, rank }: Measure): string =>
  rank ? '90\u00a0%' : typeof goal === 'number' ? `→\u00a0${goal}` : goal === 'lower' ? '↓' : '↑';
const percent = (share: number): string => `${fixed(100 * share, 0)}\u00a0%`;

const cellOf = (measure: Measure, summary: MeasureSummary | undefined, decimals: number, marked: boolean): Html => {
  if (summary === undefined) return html`<td data-value="">–</td>`;
  const { mean, ci95, coverage } = summary;
  if (measure.rank !== true || coverage === undefined)
    return html`<td data-value="${mean}" class="${marked ? 'best' : ''}">${marked ? html`<span class="winner">closest</span>` : null}${fixed(mean, decimals)}${ci95 === null ? null : html`<span class="ci"> ± ${fixed(ci95, decimals)}</span>`}</td>`;
  const p = coverage.uniformP;
  return html`<td data-value="${mean}">${percent(mean)}<span class="ci"> ${percent(coverage.low)} to ${percent(coverage.high)}</span>${p === undefined ? null : html`<span class="about">ranks uniform: p\u00a0${p < 0.001 ? '<\u00a00.001' : `=\u00a0${fixed(p, 3)}`}</span>`}</td>`;
};

const floorCell = (measure: Measure, rows: readonly RowSummary[], decimals: number): Html => {
  const floor = rows.map((row) => row.measures?.get(measure.id)?.floor).find((each) => each !== undefined);
  if (floor === undefined) return html`<td data-value="">–</td>`;
  const show = (value: number): string =>
    measure.rank ? percent(Math.min(1, Math.max(0, value))) : fixed(value, decimals);
  return html`<td data-value="${floor.mean}">${show(floor.mean)}<span class="ci"> ${show(floor.low)} to ${show(floor.high)}</span></td>`;
};

/** How many modes of the posterior count, where it is known. */
export function modesHint({ rows }: ReportRows): Html | null {
  const [modes] = rows.flatMap((row) => row.modes ?? []);
  if (modes === undefined) return null;
  const range =
    fixed(modes.most, 1) !== fixed(modes.least, 1)
      ? `, ${fixed(modes.least, 1)} to ${fixed(modes.most, 1)} from image to image`
      : '';
  return html`<p class="hint">The posterior has <span data-measure="${MODES}">${fixed(modes.mean, 1)}</span> modes that count (1 over the sum of squared weights${range}).</p>`;
}

/**
 * Every measure of every row of a problem, the rows as lines, with what as many independent draws of the posterior
 * score; nothing where samples of an image are single.
 */
export function posteriorTable(problem: ReportRows): Html | null {
  const rows = problem.rows.filter((row) => (row.measures?.size ?? 0) > 0);
  const shown = measures.filter(({ id }) => rows.some((row) => row.measures?.has(id)));
  if (rows.length === 0) return null;
  const columns = shown.map((measure) => {
    const summaries = rows.flatMap((row) => row.measures?.get(measure.id) ?? []);
    return {
      measure,
      decimals: decimalsFor(
        summaries.flatMap(({ ci95 }) => ci95 ?? []),
        summaries.map(({ mean }) => mean),
      ),
    };
  });
  const hasFloor = rows.some((row) => [...(row.measures?.values() ?? [])].some(({ floor }) => floor !== undefined));
  const [unmarked] = rows.flatMap((row) => row.unmarked ?? []);
  return html`<h3>${problemTitle(problem)}</h3>
${unmarked === undefined ? null : html`<p class="hint">No row is marked: ${unmarked}.</p>`}
<div class="scroll"><table class="summary sortable posterior">
<thead><tr><th scope="col" data-column="0" data-first="ascending">method</th>${columns.map(
    ({ measure }, i) =>
      html`<th scope="col" data-column="${i + 1}" data-first="ascending"><span title="${measure.about}">${measure.title}${measure.rank ? ' coverage' : ''}</span>&nbsp;<span class="direction">${goalOf(measure)}</span>${measure.unit ? html` <span class="unit">${measure.unit}</span>` : null}</th>`,
  )}</tr></thead>
<tbody>
${rows.map(
  (
    row,
  ) => html`<tr><th scope="row" data-value="${row.label}"><span class="label">${row.label}</span>${row.floor ? html`<span class="about">exact score: what these steps alone leave; never marked</span>` : null}</th>${columns.map(
    ({ measure, decimals }) =>
      cellOf(
        measure,
        row.measures?.get(measure.id),
        decimals,
        measure.id === 'slicedW1' && row.distance?.best === true,
      ),
  )}</tr>
`,
)}${
    hasFloor
      ? html`<tr><th scope="row" data-value="~"><span class="label">iid draws</span><span class="about">as many of the posterior; where 95\u00a0% of such rows would be</span></th>${columns.map(({ measure, decimals }) => floorCell(measure, rows, decimals))}</tr>
`
      : null
  }</tbody></table></div>
<dl class="measures">${columns.map(({ measure }) => html`<dt>${measure.title}</dt><dd>${measure.about}.</dd>`)}</dl>`;
}

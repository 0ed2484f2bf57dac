import { plural } from '../machine/text-table.ts';
import { html, type Html } from '../report/html.ts';
import { legend, lineFigure, type Line, type LineFigure } from '../report/lines.ts';
import { heading, page } from '../report/page.ts';
import { problemTitle } from '../report/problems.ts';
import { printed } from '../results/numbers.ts';
import { problemsOf } from '../results/problems.ts';
import type { ExplanationJson } from './explanation.ts';
import type { ExplainedRow } from './row.ts';
import type { StepSeries } from './series.ts';
import type { MeasureName } from './vectors.ts';

const { short } = printed;

const howToRead = `Everything is a score, a gradient with respect to the noisy state, and a mean over samples and images. Noise falls from left to right. The guidance of a method is what
its step moved beyond the unconditional step from the same state with the same noise, divided by what one unit of score moves; the exact score is that of the closed form at the state
where the method stood.`;

const xAxis = { label: 'noise level σ', log: true, reverse: true } as const;

const line = (name: string, style: number, { sigma }: ExplainedRow, series: StepSeries | undefined): readonly Line[] =>
  series === undefined
    ? []
    : [
        {
          name,
          style,
          points: sigma.flatMap((x, i) => {
            const y = series[i];
            return typeof y === 'number' && x > 0 ? [{ x, y }] : [];
          }),
        },
      ];

type Shared = Pick<LineFigure, 'label' | 'y' | 'rule'> & { readonly measure: MeasureName };

/** One curve per method. */
const shared = (samples: number): readonly Shared[] => [
  {
    measure: 'relativeError',
    label:
      'Relative error of the guidance against the exact likelihood score (1: as wrong as none; below 0.001 drawn there)',
    y: { log: true, floor: 1e-3 },
    rule: 1,
  },
  { measure: 'cosine', label: 'Cosine of the guidance with the exact likelihood score', rule: 0 },
  { measure: 'cosineConditional', label: 'Cosine of the guided score with the exact conditional score' },
  { measure: 'cosineUnconditional', label: 'Cosine of the guided score with the unconditional score' },
  {
    measure: 'meanScore',
    label:
      'Norm of the mean of the guided score over samples, over its root mean square (dotted: what a mean of zero shows)',
    rule: 1 / Math.sqrt(samples),
  },
];

type Own = { readonly label: string; readonly curves: readonly (readonly [name: string, measure: MeasureName])[] };

/** Figures of one method. */
const own: readonly Own[] = [
  {
    label: 'Norms of the scores',
    curves: [
      ['prior', 'priorNorm'],
      ['guidance', 'guidanceNorm'],
      ['exact likelihood', 'likelihoodNorm'],
    ],
  },
  {
    label: 'The two terms of the exact conditional score (Equation 8, for any linear A)',
    curves: [
      ['prior at the combined point', 'priorTermNorm'],
      ['pull to the measurement', 'dataTermNorm'],
    ],
  },
  {
    label: 'Weight w on −∇‖y − A x0hat‖²',
    curves: [
      ['fitted to the exact score', 'fittedWeight'],
      ['used by the method', 'effectiveWeight'],
    ],
  },
  {
    label: 'Weight c w of the update',
    curves: [
      ['fitted to the exact score', 'fittedUpdate'],
      ['used by the method', 'effectiveUpdate'],
    ],
  },
];

function ownFigures(row: ExplainedRow): readonly Html[] {
  const figures = own.flatMap(({ label, curves }) => {
    const lines = curves.flatMap(([name, measure], i) => line(name, i, row, row.measures[measure]));
    return lineFigure({ label, lines, x: xAxis, y: { log: true }, named: true }) ?? [];
  });
  const scalars = Object.entries(row.scalars).flatMap(
    ([name, series]) =>
      lineFigure({ label: `${name}, as the method returns it`, lines: line(name, 0, row, series), x: xAxis }) ?? [],
  );
  return [...figures, ...scalars];
}

function methodSection(row: ExplainedRow): Html {
  const { label, method, reading, absent, diversity, failed, samples } = row;
  const remarks = [
    ...(reading.from === 'x0hat'
      ? [`Guidance is what its x0hat says, signal (x0hat − E[x0 | xt]) / noise²: ${reading.because}.`]
      : []),
    ...Object.entries(absent).map(([what, reason]) => `No ${what}: ${reason}.`),
    ...(failed > 0 ? [`${failed} of ${samples} samples failed and are left out.`] : []),
    ...(diversity
      ? [
          `Trace of the sample covariance over the posterior’s: ${short(diversity.ratio)} (1: as diverse as the posterior).`,
        ]
      : []),
  ];
  return html`<h3>${label} <span class="sigma">${method}</span></h3>
${remarks.length > 0 ? html`<ul class="absent">${remarks.map((remark) => html`<li>${remark}</li>`)}</ul>` : null}
<div class="figures">${ownFigures(row)}</div>
`;
}

function diversityTable(rows: readonly ExplainedRow[]): Html | null {
  const known = rows.flatMap(({ label, diversity }) => (diversity === null ? [] : [{ label, diversity }]));
  if (known.length === 0) return null;
  return html`<div class="scroll"><table><thead><tr><th>method</th><th>trace of the sample covariance</th><th>of p(x0 | y)</th><th>ratio, mean over images</th></tr></thead>
<tbody>${known.map(({ label, diversity }) => html`<tr><th scope="row"><span class="label">${label}</span></th><td>${diversity.samples.map(short).join(', ')}</td><td>${diversity.posterior.map(short).join(', ')}</td><td>${short(diversity.ratio)}</td></tr>`)}</tbody></table></div>`;
}

/** The explanation as one HTML file that needs nothing else. */
export function renderExplanation(data: ExplanationJson): string {
  const problems = problemsOf(data.rows);
  const lead = `${plural(data.images.length, 'image')}, ${plural(data.samples, 'sample')} of each.`;
  const sections = problems.map(({ rows, ...problem }, i) => {
    const figures = shared(data.samples).flatMap(
      ({ measure, ...figure }) =>
        lineFigure({
          ...figure,
          x: xAxis,
          lines: rows.flatMap((row, style) => line(row.label, style, row, row.measures[measure])),
        }) ?? [],
    );
    return html`<section id="problem-${i + 1}"><h2>${problemTitle(problem)}</h2>
${legend(rows.map(({ label }, style) => ({ name: label, style })))}
<div class="figures">${figures}</div>
${diversityTable(rows)}
${rows.map(methodSection)}</section>
`;
  });
  const skipped = data.skipped.map(
    ({ operator, sigmaY, label, reason }) => html`<li>${operator}, σy = ${sigmaY}, ${label}: ${reason}.</li>`,
  );
  return page({
    title: data.title,
    body: html`${heading({ kind: 'Tweedie explain', created: new Date().toISOString(), title: data.title, lead, command: data.command })}
<nav aria-label="Contents"><ul>${problems.map((problem, i) => html`<li><a href="#problem-${i + 1}">${problemTitle(problem)}</a></li>`)}</ul></nav>
<main>
<p class="hint">${howToRead}</p>
${sections}${skipped.length > 0 ? html`<section><h2>Skipped</h2><ul class="absent">${skipped}</ul></section>` : null}
</main>`,
  });
}

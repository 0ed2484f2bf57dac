import { createHash } from 'node:crypto';
import { plural } from '../machine/text-table.ts';
import { problemsOf } from '../results/problems.ts';
import { script } from './client.ts';
import type { ReportData } from './data.ts';
import { metricFigures } from './figures.ts';
import { freeEnergyFigure } from './free-energy.ts';
import { sensitivityStrips } from './sensitivity.ts';
import { signalFigures } from './signals.ts';
import { sweepFigures } from './sweep-figures.ts';
import { filmStrips, glance, imageGrid, longestTrace, uncertaintyMaps } from './gallery.ts';
import { html, type Html, type HtmlPart } from './html.ts';
import { heading, page } from './page.ts';
import { modesHint, posteriorTable } from './posterior.ts';
import { problemTitle, type ReportRows } from './problems.ts';
import { printed } from '../results/numbers.ts';
import { scaleNotes } from '../results/scales.ts';
import { failuresTable, imageScoresTable, summaryTable, verdicts } from './table.ts';

const { short } = printed;

const howToRead = `Tables give means over images with 95 % confidence intervals. A paired difference is taken image by image against the row with the best mean, and a row is marked
best only where no such interval crosses zero. The papers’ NFE counts forwards only; a vjp (backward pass) costs about two more. In the figures a thin tick is one image, a dot with
its bar the mean with its interval, and a ring a difference that is not resolved.`;

/** A problem with its anchor inside the page. */
type Anchored = ReportRows & { readonly id: string };
type Section = { readonly id: string; readonly title: string; readonly body: Html };

/**
 * The report as one HTML file that needs nothing else: pictures are data URIs, figures are SVG, style and script are
 * inside, and its content security policy forbids every request. Complete without JavaScript; with it, tables sort and
 * film strips are scrubbed. Sections without data are left out.
 */
export function renderReport(data: ReportData): string {
  const problems = problemsOf(data.rows).map((problem, i): Anchored => ({ id: `problem-${i + 1}`, ...problem }));
  const sections = [
    section(
      'free-energy',
      'Free energy',
      'Samples of all windows, joined by the weighted histogram analysis method, beside the truth in closed form. Errors in kT.',
      (data.freeEnergy ?? []).map(freeEnergyFigure),
    ),
    section(
      'posterior',
      'Distance to the posterior',
      'Measures of the samples of an image as a set, means over images with 95 % intervals. Where the posterior is known in closed form, distance to it marks a row, and scores against the clean image do not: they reward what is too narrow.',
      problems.map(posteriorTable),
    ),
    section(
      'images',
      'Images',
      `Every method got the same stored measurement. ${data.references ? `Black is ${short(data.references[0])} and white is ${short(data.references[1])} in all pictures: the spread of the clean images. ` : ''}Point at a picture to see its scores.`,
      problems.map((problem) => imageGrid(problem, data)),
    ),
    section(
      'signals',
      'Signals',
      `Every method got the same stored measurement: dots. ${data.truthUnknown ? 'The clean signal is not known; each sample is a coloured line.' : 'The clean signal is the dark line, each sample a coloured one.'}`,
      problems.map((problem) => signalFigures(problem, data)),
    ),
    section(
      'sensitivity',
      'Sensitivity to tuned options',
      html`What the search for options saw on validation images, which are not those above. A dot is a candidate: its mean score minus that of the chosen one
(the line) on the same images; rings were dropped before they had seen all of them. ${problems.some(({ rows }) => rows.some(({ found }) => found && Object.keys(found.tried.options).length > 1)) ? 'Where several options were searched, candidates differ in the others too: read the upper edge.' : null}`,
      problems.map(sensitivityStrips),
    ),
    section(
      'path',
      'From noise to image',
      html`The estimate E[<i>x</i><sub>0</sub> | <i>x</i><sub>t</sub>] on the way, at the noise levels below the frames. The slider moves all methods at once.`,
      pathSection(problems, data),
    ),
    section(
      'uncertainty',
      'Uncertainty',
      'Mean and standard deviation, pixel by pixel, over the samples that a method drew for one measurement. Brighter is less certain.',
      problems.map((problem) => uncertaintyMaps(problem, data)),
    ),
    section(
      'scores',
      'Scores of every image',
      null,
      data.imageNames.length > 0 && data.metrics.length > 0
        ? problems
            .filter(({ rows }) => rows.some(({ skipped }) => skipped === undefined))
            .map((problem) => html`<h3>${problemTitle(problem)}</h3>${imageScoresTable(problem, data)}`)
        : [],
    ),
    section(
      'failures',
      'Failures',
      'Samples that became NaN or diverged. They have no score and are not in the means.',
      data.failures.length > 0 ? [failuresTable(data.failures)] : [],
    ),
  ].filter((candidate) => candidate !== null);
  const body = html`${header(data, problems)}
<div class="top">${glance(problems, data)}</div>
<nav aria-label="Contents"><ul>${problems.map((problem) => html`<li><a href="#${problem.id}">${problemTitle(problem)}</a></li>`)}${[
    ...sections,
    { id: 'provenance', title: 'Provenance' },
  ].map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}</ul></nav>
<main>
${data.metrics.length > 0 ? html`<p class="hint">${[howToRead, ...scaleNotes(data, data.rows)].join(' ')}</p>` : null}
${problems.map((problem) => comparison(problem, data))}
${sections.map(
  ({ id, title, body }) => html`<section id="${id}"><h2>${title}</h2>${body}</section>
`,
)}
<details id="provenance" open><summary><h2>Provenance</h2></summary>
<dl>${data.provenance.map(({ name, value }) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></details>
</main>`;
  const size = tileSize(data);
  return page({
    title: data.title,
    body,
    css: `:root { --tile: ${size}px; } @media (max-width: 900px) { :root { --tile: ${0.75 * size}px; } }${data.imageShape[0] > 128 ? ' img { image-rendering: auto; }' : ''}`,
    script: { text: script, hash: createHash('sha256').update(script).digest('base64') },
  });
}

/**
 * Small images are enlarged by a whole factor to about 128 pixels, large ones shown at 176; narrow windows take three
 * quarters.
 */
function tileSize({ imageShape: [height, width] }: ReportData): number {
  const size = Math.max(height, width);
  return size <= 128 ? size * Math.max(1, Math.round(128 / size)) : Math.min(size, 176);
}

function header(data: ReportData, problems: readonly ReportRows[]): Html {
  const methods = new Set(data.rows.map(({ label }) => label)).size;
  const facts = [
    plural(data.imageNames.length, data.truthUnknown ? 'measurement' : 'image'),
    data.shapes ? 'of several shapes,' : `of shape ${data.imageShape.join(' × ')},`,
    plural(problems.length, 'problem'),
    'and',
    plural(methods, 'method'),
  ].join(' ');
  const failed =
    data.failures.length === 0
      ? null
      : html` <a class="alarm" href="#failures">${plural(data.failures.length, 'sample')} failed.</a>`;
  const skipped = data.rows.filter((row) => row.skipped !== undefined).length;
  const unfinished = data.unfinished
    ? ` Unfinished: ${data.unfinished.finished} of ${plural(data.unfinished.expected, 'sample')}.`
    : null;
  const lead = html`${facts}.${skipped > 0 ? ` ${plural(skipped, 'row')} skipped.` : null}${unfinished}${failed}`;
  return heading({
    kind: 'Tweedie report',
    created: data.created,
    title: data.title,
    lead,
    ...(data.notes === undefined ? {} : { notes: data.notes }),
    command: data.command,
  });
}

function comparison(problem: Anchored, { metrics, imageNames }: ReportData): Html {
  return html`<section id="${problem.id}"><h2>${problemTitle(problem)}</h2>
${verdicts(problem, metrics)}
${modesHint(problem)}
${summaryTable(problem, metrics)}
${metrics.map((metric) => metricFigures(problem, metric, imageNames))}
${sweepFigures(problem, metrics)}
</section>
`;
}

/** A section with its hint, or nothing where none of its parts has anything to show. */
function section(id: string, title: string, hint: HtmlPart, parts: readonly (Html | null)[]): Section | null {
  const present = parts.filter((part) => part !== null);
  return present.length === 0
    ? null
    : { id, title, body: html`${hint ? html`<p class="hint">${hint}</p>` : null}${present}` };
}

function pathSection(problems: readonly ReportRows[], data: ReportData): readonly (Html | null)[] {
  const frames = longestTrace(data);
  if (frames === 0) return [];
  const slider = html`<div class="scrubber" hidden><button type="button">Play</button><label for="step">level</label>
<input id="step" type="range" min="0" max="${frames - 1}" value="${frames - 1}" step="1"><output for="step"></output></div>`;
  return [slider, ...problems.map((problem) => filmStrips(problem, data))];
}

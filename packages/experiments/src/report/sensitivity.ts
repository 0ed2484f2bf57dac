import * as Plot from '@observablehq/plot';
import { at } from '@tweedie/core';
import type { Found } from '../recipe/recipe.ts';
import { printed } from '../results/numbers.ts';
import type { RowSummary } from '../results/summary.ts';
import { html, type Html } from './html.ts';
import { accent, faint, ink, paper, plotFigure, spans } from './plot.ts';
import { problemTitle, type ReportRows } from './problems.ts';

const { count, short, signed } = printed;

type Candidate = { readonly value: number; readonly difference: number; readonly images: number };

function strip(label: string, option: string, { metric, tried }: Found): Html {
  const values = tried.options[option] ?? [];
  const most = Math.max(...tried.images);
  const candidates = values.flatMap((value, i): Candidate[] => {
    const difference = tried.toChosen[i];
    return typeof difference === 'number'
      ? [{ value, difference, images: at(tried.images, i, 'number of images of a candidate') }]
      : [];
  });
  const failed = values.length - candidates.length;
  const chosen = candidates.find(({ difference, images }) => difference === 0 && images === most);
  const caption = `${label}: ${option} ${chosen ? short(chosen.value) : ''}`;
  return plotFigure(
    html`${caption}<span class="about">${candidates.length} tried${failed > 0 ? `, ${failed} more failed` : ''}; ${metric} minus that of the chosen one</span>`,
    `Sensitivity of ${caption}`,
    {
      width: 300,
      height: 140,
      marginLeft: 38,
      marginRight: 10,
      marginTop: 8,
      marginBottom: 22,
      x: {
        type: spans(values, 10) ? 'log' : 'linear',
        label: null,
        ticks: 4,
        tickSize: 0,
        tickFormat: short,
        inset: 6,
      },
      y: { label: null, ticks: 4, tickSize: 0, nice: true },
      marks: [
        Plot.gridY({ ticks: 4, stroke: 'var(--line)', strokeOpacity: 1 }),
        ...(chosen ? [Plot.ruleX([chosen.value], { stroke: accent, strokeWidth: 1.25 })] : []),
        Plot.dot(candidates, {
          x: 'value',
          y: 'difference',
          r: 3,
          strokeWidth: 1.2,
          fill: ({ images }: Candidate) => (images === most ? ink : paper),
          stroke: ({ images }: Candidate) => (images === most ? ink : faint),
          title: ({ value, difference, images }: Candidate) =>
            `${option} ${short(value)}: ${signed(difference, 2)} on ${images} images`,
        }),
      ],
    },
  );
}

/** One small figure for each tuned row of a problem and each of its options. */
export function sensitivityStrips({ operator, sigmaY, rows }: ReportRows): Html | null {
  const tuned = rows.filter((row): row is RowSummary & { found: Found } => row.found !== undefined);
  const [first] = tuned;
  if (first === undefined) return null;
  return html`<h3>${problemTitle({ operator, sigmaY })}</h3>
<p class="hint">Validation images ${first.found.images}. Network forwards spent, a vjp counting as two: ${tuned.map(({ label, found }) => `${label} ${count(found.spent)}`).join(', ')}.</p>
<div class="figures small">${tuned.map(({ label, found }) => Object.keys(found.tried.options).map((option) => strip(label, option, found)))}</div>`;
}

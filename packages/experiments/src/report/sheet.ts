import type { DistanceJson } from '../results/distance-json.ts';
import { printed } from '../results/numbers.ts';
import { html, type Html } from './html.ts';
import { heading, page } from './page.ts';

/** A row of a small suite: a problem whose posterior is known, and what a method makes of it. */
export type MeasuredRow = {
  readonly problem: string;
  readonly label: string;
  /** Sliced W1 to the posterior, in units of what as many independent draws have; null where nothing was drawn. */
  readonly distance: Pick<DistanceJson, 'mean' | 'ci95' | 'iid'> | null;
  /** || y - A(x) || in units of the noise: 1 for draws of the posterior. */
  readonly misfit: number | null;
  /** Counted in the graph that ran, per sample. */
  readonly cost: { readonly forwards: number; readonly vjps: number; readonly seconds: number } | null;
  /** Why there is nothing, where samples failed. */
  readonly why?: string;
};

/** What a plugin was seen to hold: the badge sheet of `tweedie check --sheet`. */
export type Sheet = {
  readonly plugin: { readonly kind: string; readonly id: string; readonly title: string; readonly package: string };
  readonly tweedie: string;
  readonly created: string;
  readonly command: string;
  /** What was checked: types, then a block of the kit for each setting; a failure has its message. */
  readonly blocks: readonly {
    readonly title: string;
    readonly checks: readonly { readonly name: string; readonly failure?: string }[];
  }[];
  /** Of a guidance method: the suite. */
  readonly measured?: readonly MeasuredRow[];
};

const { fixed } = printed;
const number = (value: number | null | undefined, decimals: number): string =>
  value === null || value === undefined ? '–' : fixed(value, decimals);

const blockOf = ({ title, checks }: Sheet['blocks'][number]): Html => html`<section><h2>${title}</h2>
<ul class="checks">${checks.map(
  ({ name, failure }) =>
    html`<li class="${failure === undefined ? 'holds' : 'fails'}">${name}${failure === undefined ? null : html`: ${failure}`}</li>`,
)}</ul></section>`;

const suiteOf = (rows: readonly MeasuredRow[]): Html => html`<section><h2>On known posteriors</h2>
<p class="hint">Three Gaussians in four dimensions, 8 problems of 64 samples each, default options, 100 steps. Sliced W1 is in units of what as many independent draws of the posterior
have, 95 % of which lie in the range behind it. The other rows are the posterior itself, and the exact score, whose distance is the error of its steps.</p>
<table><thead><tr><th>problem</th><th>row</th><th>sliced W1, iid = 1</th><th>range of draws</th><th>misfit</th><th>forwards</th><th>vjps</th><th>ms a sample</th></tr></thead>
<tbody>${rows.map(
  ({ problem, label, distance, misfit, cost, why }) =>
    html`<tr><td>${problem}</td><td>${label}</td>${
      cost === null
        ? html`<td colspan="6">${why ?? 'cannot work with this problem'}</td>`
        : html`<td>${number(distance?.mean, 2)}${distance?.ci95 ? ` (${fixed(distance.ci95[0], 2)} to ${fixed(distance.ci95[1], 2)})` : ''}</td>
<td>${distance?.iid ? `${fixed(distance.iid.low, 2)} to ${fixed(distance.iid.high, 2)}` : '–'}</td>
<td>${number(misfit, 2)}</td><td>${number(cost.forwards, 0)}</td><td>${number(cost.vjps, 0)}</td><td>${number(1000 * cost.seconds, 2)}</td>`
    }</tr>`,
)}</tbody></table></section>`;

const css = `th:nth-child(-n+2),td:nth-child(-n+2){text-align:left}
.checks{list-style:none;padding:0;columns:2 26em}.checks li{break-inside:avoid;padding:.15em 0 .15em 1.6em;text-indent:-1.6em}
.checks li::before{display:inline-block;width:1.6em;text-indent:0}.holds::before{content:"✓";color:#2a7d46}.fails::before{content:"✗";color:#b3261e}.fails{font-weight:600}`;

/** The page of a sheet: one HTML file. */
export const sheetPage = ({ plugin, tweedie, created, command, blocks, measured }: Sheet): string => {
  const checks = blocks.flatMap((block) => block.checks);
  const failed = checks.filter(({ failure }) => failure !== undefined).length;
  const title = `${plugin.kind}/${plugin.id}`;
  const body = html`${heading({
    kind: 'Tweedie check',
    created,
    title,
    lead: `${plugin.title}. ${checks.length - failed} of ${checks.length} checks hold. ${plugin.package}, Tweedie ${tweedie}.`,
    command,
  })}
<main>${measured ? suiteOf(measured) : null}${blocks.map(blockOf)}</main>`;
  return page({ title, body, css });
};

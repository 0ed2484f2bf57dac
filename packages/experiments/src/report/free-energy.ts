import { freeEnergyCells, freeEnergyColumns, type FreeEnergyTable } from '../results/free-energy.ts';
import { plain } from '../results/numbers.ts';
import { html, type Html } from './html.ts';
import { legend, lineFigure, type Line } from './lines.ts';
import { problemTitle } from './problems.ts';

/** F of every method beside the truth, and how far they are from it. */
export function freeEnergyFigure(table: FreeEnergyTable): Html {
  const curve = (name: string, style: number, energy: readonly (number | null)[]): Line => ({
    name,
    style,
    points: energy.flatMap((y, bin) => {
      const x = table.centres[bin];
      return y === null || x === undefined ? [] : [{ x, y }];
    }),
  });
  const lines = [
    curve('truth', 0, table.truth),
    ...table.rows.map(({ label, result }, i) => curve(label, i + 1, result.energy)),
  ];
  const figures = table.rows.map(({ label }, i) =>
    lineFigure({ label, x: { label: 'restrained entry' }, lines: lines.filter((_, at) => at === 0 || at === i + 1) }),
  );
  return html`<h3>${problemTitle(table)}</h3>
<div class="scroll"><table><thead><tr>${freeEnergyColumns.map((title) => html`<th>${title}</th>`)}</tr></thead>
<tbody>${table.rows.map((row) => html`<tr>${freeEnergyCells(row).map((text, i) => (i === 0 ? html`<th scope="row"><span class="label">${text}</span></th>` : html`<td>${text}</td>`))}</tr>`)}
<tr><th scope="row">truth</th><td>0</td><td>0</td><td>${plain.fixed(table.barrier, 2)}</td><td>all</td><td>0</td><td>1</td></tr></tbody></table></div>
${legend(lines)}
<div class="figures">${lineFigure({ label: 'Free energy −ln p, in kT', x: { label: 'restrained entry' }, lines })}${figures}</div>`;
}

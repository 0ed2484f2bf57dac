import * as Plot from '@observablehq/plot';
import { printed } from '../results/numbers.ts';
import { html, type Html } from './html.ts';
import { plotFigure } from './plot.ts';

export type Line = {
  readonly name: string;
  /** Which colour and dash, the same for one name in all figures of a page. */
  readonly style: number;
  readonly points: readonly { readonly x: number; readonly y: number }[];
};

export type LineFigure = {
  readonly label: string;
  readonly lines: readonly Line[];
  readonly x: { readonly label: string; readonly log?: boolean; readonly reverse?: boolean };
  /** `log`: points at or below zero are left out. `floor`: points below are drawn there. */
  readonly y?: { readonly log?: boolean; readonly floor?: number };
  /** A line across, at a value that means something. */
  readonly rule?: number;
  /** Names the curves below the figure; without it a `legend` of the page does. */
  readonly named?: boolean;
};

const { short } = printed;
const width = 560;
const height = 260;
/** Colours of lines, told apart in light and dark, and by those who see no red or green. */
const colours = ['#2f7ed8', '#d9661f', '#1d9a6c', '#b04fc4', '#b38600', '#d6336c', '#5c7d99', '#7a5230'] as const;
const dashes = ['', '7 4', '2 3', '9 3 2 3'] as const;
const dashOf = (style: number): string => dashes[Math.floor(style / colours.length) % dashes.length] ?? '';
export const colourOf = (style: number): string => colours[style % colours.length] ?? colours[0];
/** Colour and dash of a line, for a mark of Plot. */
export const strokeOf = (style: number) => ({
  stroke: colourOf(style),
  ...(dashOf(style) === '' ? {} : { strokeDasharray: dashOf(style) }),
});

const shown = ({ lines, y }: LineFigure): readonly Line[] => {
  const sound = (value: number): boolean => Number.isFinite(value) && (y?.log !== true || value > 0);
  const floor = y?.floor ?? -Infinity;
  return lines
    .map((line) => ({
      ...line,
      points: line.points
        .filter((point) => sound(point.y))
        .map((point) => ({ x: point.x, y: Math.max(floor, point.y) })),
    }))
    .filter(({ points }) => points.length > 0);
};

/** Powers of ten between the smallest and the largest value; undefined where they are too few to read a scale from. */
const decades = (values: readonly number[]): readonly number[] | undefined => {
  const [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  const first = Math.ceil(Math.log10(low));
  const count = Math.floor(Math.log10(high)) - first + 1;
  const stride = Math.ceil(count / 7);
  return count < 2
    ? undefined
    : Array.from({ length: Math.ceil(count / stride) }, (_, i) => 10 ** (first + i * stride));
};

/** Curves over one axis as SVG, or nothing where no curve has a point. */
export function lineFigure(figure: LineFigure): Html | null {
  const lines = shown(figure);
  if (lines.length === 0) return null;
  const { label, x, y, rule, named } = figure;
  const values = lines.flatMap(({ points }) => points.map((point) => point.y));
  const ticks = (y?.log ? decades(rule === undefined ? values : [...values, rule]) : undefined) ?? 5;
  return plotFigure(
    label,
    label,
    {
      width,
      height,
      marginLeft: 54,
      marginRight: 14,
      marginTop: 12,
      marginBottom: 36,
      x: { type: x.log ? 'log' : 'linear', reverse: x.reverse ?? false },
      y: { type: y?.log ? 'log' : 'linear' },
      marks: [
        Plot.gridY({ ticks, stroke: 'var(--line)', strokeOpacity: 1 }),
        Plot.axisX({
          ticks: 6,
          tickSize: 3,
          label: x.label,
          labelArrow: 'none',
          fontSize: 12,
          fill: 'var(--muted)',
          stroke: 'var(--line)',
          ...(x.log ? { tickFormat: short } : {}),
        }),
        Plot.axisY({ ticks, tickSize: 0, label: null, fontSize: 12, fill: 'var(--muted)', tickFormat: short }),
        ...(rule === undefined ? [] : [Plot.ruleY([rule], { stroke: 'var(--muted)', strokeDasharray: '2 4' })]),
        ...lines.map(({ points, style, name }) =>
          Plot.line([...points], { x: 'x', y: 'y', ...strokeOf(style), strokeWidth: 1.9, title: () => name }),
        ),
      ],
    },
    named ? legend(lines) : null,
  );
}

/** The names of lines beside their colours. */
export const legend = (names: readonly { readonly name: string; readonly style: number }[]): Html =>
  html`<ul class="legend">${names.map(
    ({ name, style }) =>
      html`<li><svg width="26" height="8" aria-hidden="true"><line x1="0" y1="4" x2="26" y2="4" stroke="${colourOf(style)}" stroke-width="2.4" stroke-dasharray="${dashOf(style)}"/></svg>${name}</li>`,
  )}</ul>`;

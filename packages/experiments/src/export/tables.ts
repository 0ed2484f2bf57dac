/** The tables of a run for a paper: LaTeX with booktabs, and Markdown. */
import { DECIDES } from '../statistics/measures.ts';
import { columnDecimals, plain } from '../results/numbers.ts';
import { problemsOf, type ProblemRows } from '../results/problems.ts';
import type { MetricSummary } from '../results/compare-rows.ts';
import type { RowSummary } from '../results/summary.ts';
import type { IndexMetric, RunIndex } from '../run/run-index.ts';

const { amount, fixed } = plain;

/** A number with its interval, before it is written in one of the two languages. */
type Value = { readonly mean: string; readonly half?: string; readonly best?: boolean };
type Column = { readonly title: string; readonly metric?: IndexMetric; readonly cell: (row: RowSummary) => Value };
type Table = ProblemRows<RowSummary> & { readonly columns: readonly Column[]; readonly images: number };

const none: Value = { mean: '' };

const metricColumn = (metric: IndexMetric, rows: readonly RowSummary[]): Column => {
  const decimals = columnDecimals(rows.flatMap((row) => row.metrics.get(metric.id)?.mean ?? []));
  const show = ({ mean, ci95, best, rate }: MetricSummary): Value =>
    rate
      ? { mean: `${rate.hits}/${rate.of}`, best }
      : { mean: fixed(mean, decimals), ...(ci95 === null ? {} : { half: fixed(ci95, decimals) }), best };
  return {
    title: metric.id,
    metric,
    cell: (row) => {
      const summary = row.metrics.get(metric.id);
      return summary ? show(summary) : none;
    },
  };
};

const tablesOf = (index: RunIndex, all: readonly RowSummary[]): readonly Table[] =>
  problemsOf(all).map(({ operator, sigmaY, rows }) => {
    const ran = rows.filter(({ skipped }) => skipped === undefined);
    const others: readonly Column[] = [
      ...(ran.some(({ misfit }) => misfit)
        ? [{ title: 'misfit', cell: ({ misfit }: RowSummary) => (misfit ? { mean: fixed(misfit.mean, 2) } : none) }]
        : []),
      { title: 'cost', cell: ({ cost }) => (cost ? { mean: amount(cost.equivalents) } : none) },
    ];
    const distance: readonly Column[] = ran.some(({ measures }) => measures?.has(DECIDES))
      ? [
          {
            title: 'sliced W1 (iid = 1)',
            cell: ({ measures, distance: own }) => {
              const found = measures?.get(DECIDES);
              if (!found) return none;
              const half = found.ci95 === null ? {} : { half: fixed(found.ci95, 2) };
              return { mean: fixed(found.mean, 2), ...half, best: own?.best === true };
            },
          },
          {
            title: 'coverage of 90 %',
            cell: ({ measures }) => {
              const coverage = measures?.get('hpd')?.coverage;
              return coverage ? { mean: fixed(coverage.hits / coverage.of, 2) } : none;
            },
          },
        ]
      : [];
    const columns = [...distance, ...index.metrics.map((metric) => metricColumn(metric, ran)), ...others];
    return { operator, sigmaY, rows: ran, columns, images: index.images.length };
  });

/** The recipe of a run, as a table names it: its command and the hash of its content. */
const recipeOf = ({ command, provenance }: RunIndex): { readonly command: string; readonly hash: string } => ({
  command,
  hash: provenance.find(({ name }) => name === 'recipe')?.value.replace(/^sha256 /, '') ?? 'not stored by this run',
});

/** What makes a row bold. */
const boldOf = (rows: readonly RowSummary[]): string => {
  const [unmarked] = rows.flatMap((row) => row.unmarked ?? []);
  if (unmarked !== undefined) return `no row is bold: ${unmarked}.`;
  const excludes = 'where the interval of its paired difference to every other row excludes zero';
  const floor = rows.find((row) => row.floor);
  const never = floor === undefined ? 'never are' : `never are, nor is ${floor.label}, what these steps alone leave`;
  return rows.some(({ distance }) => distance)
    ? `the row closest to the posterior by sliced W1 (in units of as many independent draws) is bold ${excludes}; rows that are the posterior ${never}.`
    : `the best row is bold ${excludes}.`;
};

const caption = (index: RunIndex, { operator, sigmaY, images, rows }: Table): string => {
  const failed = rows.reduce((sum, row) => sum + row.failed.length, 0);
  const finished = rows.some((row) => row.finished < row.cells.flat().length);
  return [
    `${index.title}: ${operator}, sigmaY ${sigmaY}.`,
    `Mean over n = ${images} images${index.samples > 1 ? ` of ${index.samples} samples each` : ''} with the half width of its 95 % t interval;`,
    boldOf(rows),
    'misfit: || y - A(x) || in units of the noise. cost: forwards + 2 vjps of the network a sample.',
    ...(failed > 0 ? [`${failed} samples failed and have no score.`] : []),
    ...(finished ? ['The run is not finished.'] : []),
  ].join(' ');
};

const special: Readonly<Record<string, string>> = {
  '\\': '\\textbackslash{}',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
  '↑': '$\\uparrow$',
  '↓': '$\\downarrow$',
  '±': '$\\pm$',
  '<': '\\textless{}',
  '>': '\\textgreater{}',
  '|': '\\textbar{}',
};
/** A text that LaTeX sets as it is. */
export const latexText = (text: string): string =>
  text.replace(/[\\{}~^↑↓±<>|#$%&_]/g, (character) => special[character] ?? `\\${character}`);

const latexCell = ({ mean, half, best }: Value): string => {
  if (mean === '') return '--';
  const number = best === true ? `\\mathbf{${mean}}` : mean;
  return `$${number.replaceAll(',', '{,}')}${half === undefined ? '' : ` \\pm ${half}`}$`;
};

/** `psnr (dB) ↑` */
const headerOf = ({ title, metric }: Column): string =>
  metric
    ? `${title}${metric.unit === undefined ? '' : ` (${metric.unit})`} ${metric.better === 'higher' ? '↑' : '↓'}`
    : title;

/** A file of LaTeX to `\input`: one table for each problem. Needs the package booktabs. */
export const latexTables = (index: RunIndex, rows: readonly RowSummary[]): string => {
  const { command, hash } = recipeOf(index);
  const table = (of: Table): string =>
    [
      '\\begin{table}',
      '  \\centering',
      `  \\caption{${latexText(caption(index, of))}}`,
      `  \\begin{tabular}{l${'r'.repeat(of.columns.length)}}`,
      '    \\toprule',
      `    method & ${of.columns.map((column) => latexText(headerOf(column))).join(' & ')} \\\\`,
      '    \\midrule',
      ...of.rows.map(
        (row) =>
          `    ${[latexText(row.label), ...of.columns.map(({ cell }) => latexCell(cell(row)))].join(' & ')} \\\\`,
      ),
      '    \\bottomrule',
      '  \\end{tabular}',
      `  \\par\\footnotesize ${latexText(command)}; recipe ${latexText(hash.slice(0, 16))}`,
      '\\end{table}',
    ].join('\n');
  return `% Needs \\usepackage{booktabs}. Written by tweedie export.\n${tablesOf(index, rows).map(table).join('\n\n')}\n`;
};

const markdownText = (text: string): string => text.replace(/[\\|*_<>`[\]]/g, '\\$&');
const markdownCell = ({ mean, half, best }: Value): string => {
  if (mean === '') return '–';
  return `${best === true ? `**${mean}**` : mean}${half === undefined ? '' : ` ± ${half}`}`;
};

/** The same tables in Markdown. */
export const markdownTables = (index: RunIndex, rows: readonly RowSummary[]): string => {
  const { command, hash } = recipeOf(index);
  const table = (of: Table): string => {
    const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
    return [
      `### ${markdownText(of.operator)}, sigmaY ${of.sigmaY}`,
      '',
      line(['method', ...of.columns.map((column) => markdownText(headerOf(column)))]),
      line(['---', ...of.columns.map(() => '---:')]),
      ...of.rows.map((row) =>
        line([markdownText(row.label), ...of.columns.map(({ cell }) => markdownCell(cell(row)))]),
      ),
      '',
      markdownText(caption(index, of)),
    ].join('\n');
  };
  const note = `\`${command.replaceAll('`', "'")}\`; recipe ${hash.slice(0, 16)}`;
  return `${[`## ${markdownText(index.title)}`, ...tablesOf(index, rows).map(table), note].join('\n\n')}\n`;
};

import type { Experiment } from '../recipe/experiment.ts';
import { showNumber, textTable } from '../machine/text-table.ts';
import type { Range } from './candidates.ts';
import { showImages, type Tune } from '../recipe/tune-settings.ts';
import type { Scored, TuneResult } from '../tune.ts';
import { differenceTo } from './tuned-recipe.ts';

/** The nearest candidates on both sides of the chosen value of an option; undefined: there is none, the best is at the edge of what was tried. */
const neighbours = ({ tried, chosen }: TuneResult, { option }: Range): readonly [below: Scored | undefined, above: Scored | undefined] => {
  const at = (each: Scored): number => each.values[option] ?? NaN;
  const sorted = [...tried].sort((a, b) => at(a) - at(b));
  return [sorted.findLast((each) => at(each) < at(chosen)), sorted.find((each) => at(each) > at(chosen))];
};

const signed = (value: number | null): string => (value === null ? 'failed' : `${value >= 0 ? '+' : ''}${value.toFixed(2)}`);

const showNeighbour = (result: TuneResult, { option }: Range, neighbour: Scored | undefined): string =>
  neighbour === undefined ? 'edge' : `${showNumber(neighbour.values[option] ?? NaN)}: ${signed(differenceTo(result.chosen, neighbour))}`;

/** What was chosen, for a terminal: one line per method, problem and option. */
export const tuneTable = ({ title }: Experiment, tune: Tune, results: readonly TuneResult[]): string => {
  const lines = results.flatMap((result) => result.ranges.map((range, i) => {
    const { planned: { operator, sigmaY, method }, chosen, tried, spent } = result;
    const [below, above] = neighbours(result, range);
    const first = [`${method.reference.label}, ${operator.reference.label}, sigmaY ${sigmaY}`, (chosen.score ?? NaN).toFixed(2), String(tried.length), showNumber(spent)];
    return [...(i === 0 ? first : ['', '', '', '']), `${range.option} ${showNumber(chosen.values[range.option] ?? NaN)}`, showNeighbour(result, range, below), showNeighbour(result, range, above)];
  }));
  return [
    `${title}: options chosen by ${tune.metric} on images ${showImages(tune)}, ${showNumber(tune.budget)} network forwards (a vjp counts as two) for each method and problem`,
    '',
    textTable(['method and problem', tune.metric, 'tried', 'forwards', 'chosen', 'next below', 'next above'], lines),
    '',
    `"next": the nearest value tried, and the mean difference of its ${tune.metric} to the chosen one on the same images; "edge": nothing was tried beyond. With several options it differs in the others too.`,
  ].join('\n');
};

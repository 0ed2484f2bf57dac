import type { Experiment, Tune } from '../recipe/experiment.ts';
import { textTable } from '../machine/text-table.ts';
import { plain } from '../results/numbers.ts';
import type { Range } from './candidates.ts';
import { neighbours } from './widen.ts';
import { showImages } from '../recipe/tune-settings.ts';
import { gainOver } from './against-default.ts';
import { differenceTo, valueOf, type Scored, type TuneResult } from './result.ts';

const { amount, fixed, signed } = plain;

const showDifference = (value: number | null): string => (value === null ? 'failed' : signed(value, 2));

const showNeighbour = (result: TuneResult, { option }: Range, neighbour: Scored | undefined): string =>
  neighbour === undefined
    ? 'edge'
    : `${amount(valueOf(neighbour, option))}: ${showDifference(differenceTo(result.chosen, neighbour))}`;

/** The best candidate's paired interval to the default, and what follows from it. */
const showDefault = ({ best, default: usual }: TuneResult): string => {
  if (usual === undefined) return 'none';
  if (usual.fate === 'best') return 'is best';
  const gain = gainOver(usual.candidate, best);
  if (gain === null) return usual.fate === 'kept' ? 'kept' : 'failed';
  const [low, high] = gain.interval;
  return `${usual.fate === 'kept' ? 'kept: ' : ''}${signed(gain.difference, 2)} (${signed(low, 2)} to ${signed(high, 2)})`;
};

/** The ranges that a search has widened, and what became of it. */
const widenings = (result: TuneResult): readonly string[] => {
  const { operator, sigmaY, method } = result.planned;
  return result.widened.map((range) => {
    const stays = neighbours(result, result.best, range).includes(undefined)
      ? '; the best is at the edge of that too'
      : '';
    return `  ${method.reference.label}, ${operator.reference.label}, sigmaY ${sigmaY}: ${range.option} ended at the edge of its range, which is now ${amount(range.from)} to ${amount(range.to)}${stays}.`;
  });
};

/** The options chosen, for a terminal: one line per method, problem and option. */
export const tuneTable = ({ title }: Experiment, tune: Tune, results: readonly TuneResult[]): string => {
  const lines = results.flatMap((result) =>
    result.ranges.map((range, i) => {
      const {
        planned: { operator, sigmaY, method },
        chosen,
        tried,
        spent,
      } = result;
      const [below, above] = neighbours(result, result.chosen, range);
      const first = [
        `${method.reference.label}, ${operator.reference.label}, sigmaY ${sigmaY}`,
        fixed(chosen.score, 2),
        String(tried.length),
        amount(spent),
        showDefault(result),
      ];
      return [
        ...(i === 0 ? first : ['', '', '', '', '']),
        `${range.option} ${amount(valueOf(chosen, range.option))}`,
        showNeighbour(result, range, below),
        showNeighbour(result, range, above),
      ];
    }),
  );
  const decidedBy = results[0]?.metric ?? tune.metric;
  return [
    `${title}: options chosen by ${decidedBy} on images ${showImages(tune)}, ${amount(tune.budget)} network forwards (a vjp counts as two) for each method and problem`,
    '',
    textTable(
      ['method and problem', decidedBy, 'tried', 'forwards', 'best to default', 'chosen', 'next below', 'next above'],
      lines,
    ),
    ...results.flatMap(widenings),
    '',
    `"best to default": paired difference of the best candidate to the options that the row has, with its 95 % t interval; where that does not exclude zero in favour of the best, the default is kept.`,
    `"next": the nearest value tried, and the mean difference of its ${decidedBy} to the chosen one on the same images; "edge": nothing was tried beyond. With several options it differs in the others too.`,
  ].join('\n');
};

import { readFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { Document, isMap, isSeq, parseDocument, type YAMLSeq } from 'yaml';
import type { Tune } from '../recipe/experiment.ts';
import { rounded } from '../results/numbers.ts';
import type { Found, MethodInput } from '../recipe/recipe.ts';
import type { MethodRow } from '../plan/parts.ts';
import type { Workbench } from '../plan/workbench.ts';
import { untunedRows } from './search.ts';
import { showImages } from '../recipe/tune-settings.ts';
import { gainOver } from './against-default.ts';
import { differenceTo, valueOf, type Scored, type TuneResult } from './result.ts';

/** A score as it is written: with four digits, which are all that a reader can use. */
const short = (value: number): number => rounded(value, 4);
const shortOrNull = (value: number | null): number | null => (value === null ? null : short(value));

const shortInterval = (fallback: Scored, each: Scored): readonly number[] | null =>
  each === fallback ? null : (gainOver(fallback, each)?.interval.map(short) ?? null);

const foundOf = (
  { metric, better, chosen, tried, ranges, widened, spent, default: usual }: TuneResult,
  tune: Tune,
): Found => ({
  metric,
  value: short(chosen.score),
  better,
  images: showImages(tune),
  budget: tune.budget,
  spent,
  seed: tune.seed,
  ...(widened.length === 0
    ? {}
    : { widened: Object.fromEntries(widened.map(({ option, from, to }) => [option, [from, to]])) }),
  ...(usual === undefined ? {} : { default: usual.fate }),
  tried: {
    options: Object.fromEntries(ranges.map(({ option }) => [option, tried.map((each) => valueOf(each, option))])),
    images: tried.map(({ perImage }) => perImage.length),
    score: tried.map(({ score }) => shortOrNull(score)),
    toChosen: tried.map((each) => shortOrNull(differenceTo(chosen, each))),
    ...(usual === undefined ? {} : { toDefault: tried.map((each) => shortInterval(usual.candidate, each)) }),
  },
});

/** A tuned row as it is written: what the row gives beside its options on each problem. */
const tunedRow = (
  row: MethodRow,
  results: readonly TuneResult[],
  tune: Tune,
  paths: Workbench['recipe']['paths'],
  steps: Pick<Exclude<MethodInput, string>, 'steps' | 'scheduler'>,
): MethodInput => {
  const { id, label, given } = row.reference;
  return {
    id: paths?.get(id) ?? id,
    label: `${label} tuned`,
    ...(Object.keys(given).length > 0 ? { options: given } : {}),
    ...steps,
    perProblem: results.map((result) => {
      const {
        planned: { operator, sigmaY },
        chosen,
      } = result;
      // Options of the row on this problem that are not those of the row: a preset of the task, say.
      const own = Object.entries(result.planned.method.reference.given).filter(
        ([name, value]) => given[name] !== value,
      );
      return {
        operator: operator.reference.label,
        sigmaY,
        options: { ...Object.fromEntries(own), ...chosen.values },
        found: foundOf(result, tune),
      };
    }),
  };
};

/** Puts values that are lists of numbers, or small maps, on one line. */
const onOneLine = (node: unknown, depth = 0): void => {
  if (isSeq(node)) {
    node.flow = node.items.every((item) => !isMap(item));
    for (const item of node.items) onOneLine(item, depth + 1);
  }
  if (isMap(node)) {
    for (const { key, value } of node.items) {
      if (isMap(value)) value.flow = String(key) === 'options';
      onOneLine(value, depth + 1);
    }
  }
};

/**
 * Sets the key `folder` of a recipe, so that relative paths in it start where they did, whatever folder it is written
 * to.
 */
const keepFolder = (document: Document, folder: string, target: string): void => {
  const path = relative(dirname(target), folder).replaceAll('\\', '/');
  if (path === '') document.delete('folder');
  else document.set('folder', path);
};

type Written = { readonly file: string | undefined; readonly target: string };

/**
 * The recipe with each tuned row under the row as it was; comments and order of the file stay. Without a file it is
 * written from its content.
 */
export const tunedRecipe = (
  bench: Workbench,
  tune: Tune,
  results: readonly TuneResult[],
  { file, target }: Written,
): string => {
  const { recipe, experiment } = bench;
  const document = file === undefined ? new Document(recipe.input) : parseDocument(readFileSync(file, 'utf8'));
  const methods = document.get('methods') as YAMLSeq;
  const rows = untunedRows(bench);
  const isOld = (input: MethodInput): boolean =>
    typeof input !== 'string' && (input.perProblem ?? []).some(({ found }) => found !== undefined);
  const items = recipe.input.methods.flatMap((input, i): unknown[] => {
    if (isOld(input)) return [];
    const {
      id,
      label = id,
      steps,
      scheduler,
    } = typeof input === 'string' ? ({ id: input } as Exclude<MethodInput, string>) : input;
    const own = rows.filter(
      ({ reference }) => reference.id === id && (reference.sweep?.label ?? reference.label) === label,
    );
    const tuned = own.flatMap((row) => {
      const found = results.filter((result) => result.row === row);
      return found.length === 0
        ? []
        : [
            document.createNode(
              tunedRow(row, found, tune, recipe.paths, {
                ...(steps === undefined ? {} : { steps }),
                ...(scheduler === undefined ? {} : { scheduler }),
              }),
            ),
          ];
    });
    for (const node of tuned) onOneLine(node);
    return [methods.items[i], ...tuned];
  });
  methods.items = items;
  document.setIn(['tune', 'images', 'offset'], tune.images.offset);
  keepFolder(document, recipe.folder, target);
  document.commentBefore = [
    document.commentBefore,
    ` Tuned by tweedie tune on ${experiment.operators.length * experiment.sigmaY.length} problem(s), images ${showImages(tune)}: the rows "... tuned". A new search replaces them.`,
  ]
    .filter(Boolean)
    .join('\n');
  return document.toString({ lineWidth: 0 });
};

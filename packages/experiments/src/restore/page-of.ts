import type { NoiseLevel, PluginReference } from '@tweedie/core';
import { quote, textOf } from '../plan/command.ts';
import type { ReferenceInput } from '../recipe/recipe.ts';
import type { SigmaInput } from '../recipe/noise.ts';
import { printed } from '../results/numbers.ts';
import { VERSION } from '../run/provenance.ts';
import { greyLevels } from './noise.ts';
import { renderPage, type Shown } from './page.ts';
import { finished, type Source, type Written } from './results.ts';

/** What a page says of how a picture was restored. */
export type RestoreFacts = {
  readonly image: string;
  readonly model: ReferenceInput;
  readonly operator: PluginReference;
  readonly method: ReferenceInput;
  readonly scheduler: ReferenceInput;
  readonly seed: number;
  /** In words. */
  readonly noise: string;
  readonly estimated: boolean;
  readonly sigmaY: SigmaInput | NoiseLevel;
  readonly masks: readonly string[];
  readonly degrade: boolean;
};

/** What was drawn, as far as a page tells of it. */
export type DrawnFacts = {
  readonly imageShape: readonly [height: number, width: number, channels: number];
  readonly samples: readonly Float32Array[];
  readonly failures: readonly (object | undefined)[];
  readonly misfits: readonly (number | undefined)[];
  readonly steps: number;
  readonly seconds: number;
};

const MASK_OPTIONS = ['pattern', 'file', 'files', 'match'];

/** The command that makes the same files again. */
const commandOf = (facts: RestoreFacts, samples: number): string => {
  const { image, model, operator, method, scheduler, sigmaY, masks, degrade, seed } = facts;
  const own = Object.entries(operator.options ?? {}).filter(
    ([name]) => masks.length === 0 || !MASK_OPTIONS.includes(name),
  );
  const noise = typeof sigmaY === 'object' ? `poisson:${sigmaY.poisson}` : String(sigmaY);
  return [
    `npx tweedie restore ${quote(image)}`,
    ...masks.map((mask) => `--mask ${quote(mask)}`),
    ...(degrade ? ['--degrade'] : []),
    `--operator ${quote(textOf({ id: operator.id, options: Object.fromEntries(own) }))}`,
    `--model ${quote(textOf(model))}`,
    `--method ${quote(textOf(method))}`,
    `--scheduler ${quote(textOf(scheduler))}`,
    `--sigma-y ${noise}`,
    ...(samples > 1 ? [`--samples ${samples}`] : []),
    `--seed ${seed}`,
  ].join(' ');
};

/** The page of one restored picture. */
export const pageOf = (
  { imageShape, samples, failures, misfits, steps, seconds }: DrawnFacts,
  { mean, spread }: Written,
  source: Source,
  before: Shown,
  facts: RestoreFacts,
): Promise<string> => {
  const shown = (image: Float32Array): Shown => finished(image, imageShape, source);
  const first = samples.findIndex((_, i) => failures[i] === undefined);
  const single = shown(samples[first] ?? new Float32Array(0));
  const failed = failures.filter((failure) => failure !== undefined).length;
  const count = samples.length;
  const white = spread?.white ?? 0;
  const map = spread && {
    pixels: spread.map.map((value) => (2 * value) / white - 1),
    shape: [imageShape[0], imageShape[1], 1] as const,
    name: 'deviation',
    hint: `standard deviation of the samples, pixel by pixel; black is 0, white ${printed.short(white)} (${greyLevels(white)} of 255 grey levels)`,
  };
  const onePicture = { ...single, name: 'one sample', hint: `number ${first + 1} of ${count}` };
  const { stored, grey } = source;
  return renderPage({
    title: facts.image,
    lead: `${textOf(facts.operator)}, ${facts.noise}${facts.estimated ? ', estimated' : ''}.`,
    command: commandOf(facts, count),
    before: source.grey ? firstChannel(before) : before,
    after: mean === undefined ? single : shown(mean),
    afterName: mean === undefined ? 'restored' : `mean of ${count - failed} samples`,
    others: [...(mean === undefined ? [] : [onePicture]), ...(map ? [map] : [])],
    facts: [
      ['model', textOf(facts.model)],
      ['operator', textOf(facts.operator)],
      ['method', textOf(facts.method)],
      ['scheduler', `${textOf(facts.scheduler)}, ${steps} steps`],
      ['noise', `${facts.noise}, ${facts.estimated ? 'estimated from the picture' : 'as it was said'}`],
      [
        'misfit',
        `${misfits.map((misfit) => (misfit === undefined ? 'not defined' : printed.fixed(misfit, 2))).join(', ')} (about 1 where the result fits the picture as well as its noise allows)`,
      ],
      ['samples', failed === 0 ? String(count) : `${count}, of which ${failed} failed`],
      ['seed', String(facts.seed)],
      ['time', `${printed.fixed(seconds, 1)} s`],
      [
        'result',
        `${imageShape[1]} x ${imageShape[0]} pixels, ${grey ? 'grey' : imageShape[2] === 1 ? 'grey' : 'sRGB'}, ${stored?.largest === 65535 ? 16 : 8} bits${stored?.alpha === true ? ', opacity as it was given' : ''}`,
      ],
      ['Tweedie', VERSION],
    ],
  });
};

/** The first channel of a measurement whose channels are copies. */
const firstChannel = ({ pixels, shape: [height, width, channels] }: Shown): Shown => ({
  pixels: Float32Array.from({ length: height * width }, (_, k) => pixels[k * channels] ?? 0),
  shape: [height, width, 1],
});

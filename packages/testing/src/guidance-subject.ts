import {
  conflict,
  type Engine,
  type Guidance,
  type ImageShape,
  type Manifest,
  type PluginReference,
  type Problem,
  type TensorTree,
} from '@tweedie/core';
import type { Check } from './check.ts';
import { compilingEngine } from './engine-of.ts';
import type { Options, PluginUnderTest } from './plugin-under-test.ts';
import type { Parts } from './recorded-parts.ts';
import { bind, mixturePrior, randomProblems, type Run } from './sampling.ts';

/** Limits in which a method must fall back to the prior. */
export type PriorLimit = 'A = 0' | 'sigmaY to infinity';

export type GuidanceSettings = {
  /**
   * The operators to try, of which the first that the method accepts is used. Default: random inpainting, whose masks
   * differ from problem to problem, then identity.
   */
  readonly operators?: readonly PluginReference[];
  /** The scheduler of all checks; default: ddpm with 20 steps. */
  readonly scheduler?: PluginReference;
  /** The shape of the images; default: [6, 5, 3]. */
  readonly imageShape?: ImageShape;
  /**
   * Options that switch the guidance off, so that the method is `guidance/none`. Default: `{ scale: 0 }` where the
   * manifest has an option `scale` that may be 0; false: no option does that.
   */
  readonly off?: Options | false;
  /** The limits in which theory gives the prior; default: none. */
  readonly priorAt?: readonly PriorLimit[];
  /** Whether a guided sample fits y better than an unguided one; default: true. */
  readonly lowersMisfit?: boolean;
  /** True where a sample is a function of the problem alone: other seeds, same result. */
  readonly deterministic?: boolean;
};

/** The parts around a method, and the method bound to them once, for checks that need no fresh binding. */
type Situation = { readonly parts: Parts; readonly run: () => Promise<Run> };

/** What the guidance checks look at. */
export type GuidanceSubject = Situation &
  Pick<GuidanceSettings, 'priorAt' | 'lowersMisfit' | 'deterministic'> & {
    readonly name: string;
    readonly manifest: Pick<Manifest, 'needs' | 'costPerStep'>;
    readonly guidance: Guidance<TensorTree>;
    /** The method with its guidance switched off, where an option does that. */
    readonly off?: Guidance<TensorTree>;
    /** The scheduler alone, with the method's own clamp option. */
    readonly unguided: Guidance<TensorTree>;
    /** The situation with the same prior on a variance-exploding process, unless the method refuses that. */
    readonly exploding?: Situation;
    readonly engine: Engine;
    readonly imageShape: ImageShape;
    /** Fifty problems, each with an image and drawn parameters of its own. */
    readonly problems: readonly Problem[];
  };

export const SIGMA_Y = 0.1;

/** A check, and the same on a variance-exploding process, where signal is 1 and formulas of VP states are wrong. */
export const onBothProcesses = (check: Check<GuidanceSubject>): readonly Check<GuidanceSubject>[] => [
  check,
  {
    name: `${check.name}, on a VE process too`,
    applies: (subject) => subject.exploding !== undefined && check.applies?.(subject) !== false,
    async run(subject) {
      try {
        await check.run({ ...subject, ...subject.exploding });
      } catch (error) {
        throw new Error(
          `on a VE process ${error instanceof Error ? error.message : String(error)} If only there: states are sigma times larger and signal is 1, so use level.signal and level.noise, and toVe or fromVe where VP units are assumed.`,
          { cause: error },
        );
      }
    },
  },
];

/** A setting in which a method works, around a prior in closed form: 20 Gaussians of standard deviation 0.2. */
export async function guidanceSubject(
  plugin: Pick<PluginUnderTest, 'name' | 'container'> & { readonly manifest: GuidanceSubject['manifest'] },
  methods: Pick<GuidanceSubject, 'guidance' | 'off'> & { readonly clamp?: unknown },
  settings: GuidanceSettings,
): Promise<GuidanceSubject> {
  const { container } = plugin;
  const {
    imageShape = [6, 5, 3],
    operators = [{ id: 'inpaint', options: { pattern: 'random', rate: 0.5 } }, { id: 'identity' }],
    off: _,
    ...expected
  } = settings;
  const prior = { imageShape, components: 20, variances: 0.04 };
  const model = await mixturePrior(prior);
  const scheduler = await container.plugin('scheduler', settings.scheduler ?? { id: 'ddpm', options: { steps: 20 } });
  const refusals: string[] = [];
  for (const reference of operators) {
    const operator = await container.plugin('operator', reference, { imageShape });
    const parts = { model, operator, scheduler };
    const manifests = { guidance: plugin.manifest, operator: container.registry.find('operator', reference.id) };
    const refusal = conflict({ ...parts, guidance: methods.guidance, noise: SIGMA_Y }, manifests);
    if (refusal !== undefined) {
      refusals.push(`${reference.id}: ${refusal}`);
      continue;
    }
    const engine = await compilingEngine(container);
    const clamp = methods.clamp === undefined ? {} : { clamp: methods.clamp };
    const unguided = await container.plugin('guidance', { id: 'none', options: clamp });
    const { guidance, off } = methods;
    const situation = (around: Parts): Situation => {
      let run: Promise<Run> | undefined;
      return { parts: around, run: () => (run ??= bind(guidance, { engine, ...around })) };
    };
    const exploding = { ...parts, model: await mixturePrior({ ...prior, process: { kind: 've' } }) };
    return {
      ...expected,
      ...situation(parts),
      name: plugin.name,
      manifest: plugin.manifest,
      guidance,
      ...(off && { off }),
      unguided,
      engine,
      imageShape,
      problems: randomProblems(operator, imageShape, 50, SIGMA_Y),
      ...(guidance.refuses?.(exploding, SIGMA_Y) === undefined && { exploding: situation(exploding) }),
    };
  }
  throw new Error(
    `[${plugin.name}] works with no operator of its test (${refusals.join('; ')}). Name one with which it does in \`operators\`.`,
  );
}

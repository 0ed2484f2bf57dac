import { type Engine, type Guidance, type ImageShape, type Manifest, type Operator, type PluginReference, type Problem, type Scheduler, type ScoreModel, type TensorTree } from '@tweedie/core';
import { compilingEngine } from './engine-of.ts';
import type { Options, PluginUnderTest } from './plugin-under-test.ts';
import { bind, mixturePrior, randomProblems, type Run } from './sampling.ts';

/** Limits in which a method must fall back to the prior. */
export type PriorLimit = 'A = 0' | 'sigmaY to infinity';

export type GuidanceSettings = {
  /** Operators to try, the first that the method accepts is used. Default: random inpainting (masks differ from problem to problem), identity. */
  readonly operators?: readonly PluginReference[];
  /** Default: ddpm with 20 steps. */
  readonly scheduler?: PluginReference;
  /** Default: [6, 5, 3]. */
  readonly imageShape?: ImageShape;
  /**
   * Options that switch the guidance off, so that the method is `guidance/none`. Default: `{ scale: 0 }` where the manifest has an option
   * `scale` that may be 0; false: no option does that.
   */
  readonly off?: Options | false;
  /** Where theory gives the prior. Default: nowhere. */
  readonly priorAt?: readonly PriorLimit[];
  /** Whether a guided sample fits y better than an unguided one; default: true. */
  readonly lowersMisfit?: boolean;
  /** True where a sample is a function of the problem alone: other seeds, same result. */
  readonly deterministic?: boolean;
};

/** What the guidance checks look at. */
export type GuidanceSubject = Pick<GuidanceSettings, 'priorAt' | 'lowersMisfit' | 'deterministic'> & {
  readonly name: string;
  readonly manifest: Pick<Manifest, 'needs' | 'costPerStep'>;
  readonly guidance: Guidance<TensorTree>;
  /** The same with its guidance switched off, where an option does that. */
  readonly off?: Guidance<TensorTree>;
  /** The scheduler alone, with the method's own clamp option. */
  readonly unguided: Guidance<TensorTree>;
  readonly parts: { readonly model: ScoreModel; readonly operator: Operator; readonly scheduler: Scheduler };
  /** The same prior through a variance-exploding process. */
  readonly exploding: ScoreModel;
  readonly engine: Engine;
  readonly imageShape: ImageShape;
  /** Fifty, each with an image and drawn parameters of its own. */
  readonly problems: readonly Problem[];
  /** The method bound once, for checks that need no fresh one. */
  readonly run: () => Promise<Run>;
};

export const SIGMA_Y = 0.1;

/** A setting in which a method works, around a prior in closed form: 20 Gaussians of standard deviation 0.2. */
export async function guidanceSubject(
  plugin: Pick<PluginUnderTest, 'name' | 'container'> & { readonly manifest: GuidanceSubject['manifest'] },
  methods: Pick<GuidanceSubject, 'guidance' | 'off'> & { readonly clamp?: unknown },
  settings: GuidanceSettings,
): Promise<GuidanceSubject> {
  const { container } = plugin;
  const { imageShape = [6, 5, 3], operators = [{ id: 'inpaint', options: { pattern: 'random', rate: 0.5 } }, { id: 'identity' }], off: _, ...expected } = settings;
  const prior = { imageShape, components: 20, variances: 0.04 };
  const [model, exploding] = [await mixturePrior(prior), await mixturePrior({ ...prior, process: { kind: 've' } })];
  const scheduler = await container.plugin('scheduler', settings.scheduler ?? { id: 'ddpm', options: { steps: 20 } });
  const refusals: string[] = [];
  for (const reference of operators) {
    const operator = await container.plugin('operator', reference, { imageShape });
    const parts = { model, operator, scheduler };
    const refusal = methods.guidance.refuses?.(parts, SIGMA_Y);
    if (refusal !== undefined) {
      refusals.push(`${reference.id}: ${refusal}`);
      continue;
    }
    const engine = await compilingEngine(container);
    const clamp = methods.clamp === undefined ? {} : { clamp: methods.clamp };
    const unguided = (await container.plugin('guidance', { id: 'none', options: clamp })) as Guidance<TensorTree>;
    let run: Promise<Run> | undefined;
    const { guidance, off } = methods;
    return {
      ...expected, name: plugin.name, manifest: plugin.manifest, guidance, ...(off && { off }), unguided, parts, exploding, engine, imageShape,
      problems: randomProblems(operator, imageShape, 50, SIGMA_Y),
      run: () => (run ??= bind(guidance, { engine, ...parts })),
    };
  }
  throw new Error(`[${plugin.name}] refuses every operator of its test (${refusals.join('; ')}). Name one that it accepts in \`operators\`.`);
}

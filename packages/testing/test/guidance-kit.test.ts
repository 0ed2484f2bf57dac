/** A method that passes its kit, and what the kit says of it with one fault each. */
import {
  type Container,
  type Guidance,
  type Image,
  type Manifest,
  type MeasuredTensors,
  perSample,
  sampleNorm,
  type Scalar,
  type StepTensors,
  type Tensor,
  type TensorTree,
  tf,
  valueAndGrad,
} from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { failuresOf, guidanceChecks, guidanceSubject, testContainer } from '../src/index.ts';

const faults = [
  'batch norm',
  'hidden randomness',
  'kept tensor',
  'bound tensor',
  'second forward',
  'compiles per problem',
  'draws twice',
  'wrong sign',
  'scalar of the batch',
  'name of the noise',
  'not finite',
  'no limit',
  'VP mean',
  'VP weight',
] as const;
type Fault = (typeof faults)[number] | 'flat state';

/** The mean of ancestral sampling as in the DDPM paper, Equation 7, with alphaBar: of VP states. */
const ancestralMean = (xt: Image, x0hat: Image, { level, next }: StepTensors): Image => {
  const alpha = level.alphaBar.div<Scalar>(next.alphaBar);
  const [before, after] = [tf.sub(1, level.alphaBar), tf.sub(1, next.alphaBar)];
  return x0hat
    .mul(next.alphaBar.sqrt().mul(tf.sub(1, alpha)).div(before))
    .add(xt.mul(alpha.sqrt().mul(after).div(before)));
};

function guide(gradient: Image, { level }: StepTensors, sigmaY: Scalar, fault?: Fault): Image {
  if (fault === 'wrong sign') return gradient.neg();
  if (fault === 'no limit') return gradient.div(sigmaY).mul(sigmaY);
  // 1 - alphaBar of VP states; 0 for VE ones.
  return fault === 'VP weight' ? gradient.mul(tf.sub(1, level.signal.square()).sqrt()) : gradient;
}

/** DPS with the norm, step by step as a plugin would have it. */
const method = (scale: number, fault?: Fault): Guidance<TensorTree> => {
  const guidance: Guidance = {
    bind({ engine, model, operator, scheduler }) {
      if (fault === 'bound tensor') tf.zeros([1]);
      const body = (
        xt: Image,
        step: StepTensors,
        { y, drawn, sigmaY }: MeasuredTensors,
        noise: Image,
        strength: Scalar,
      ) => {
        const {
          value: norm,
          gradient,
          aux: prediction,
        } = valueAndGrad((x) => {
          const predicted = model.predict(
            fault === 'second forward' ? model.predict(x, step.level).x0hat : x,
            step.level,
          );
          const residual = y.sub(operator.forward(predicted.x0hat, drawn));
          return [
            fault === 'batch norm'
              ? sampleNorm(residual).onesLike().mul(residual.square().sum().sqrt()).div(xt.shape[0])
              : sampleNorm(residual),
            predicted,
          ];
        }, xt);
        const { mean: own, std } = scheduler.transition(xt, prediction, step);
        const mean = fault === 'VP mean' ? ancestralMean(xt, prediction.x0hat, step) : own;
        const direction = guide(gradient, step, sigmaY, fault);
        const moved = mean.add(noise.mul(std)).sub(direction.mul(perSample(strength.mul(norm.onesLike()), xt)));
        return {
          state:
            fault === 'not finite'
              ? moved.div(step.next.noise)
              : fault === 'flat state'
                ? moved.reshape<Image>([xt.shape[0], -1, 1, 3])
                : moved,
          x0hat: prediction.x0hat,
          scalars: { residualNorm: fault === 'scalar of the batch' ? norm.sum() : norm } as Record<string, Tensor>,
        };
      };
      const advance = engine.compile(body);
      return {
        async step(xt, step, problem, random) {
          const run = fault === 'compiles per problem' && step.index === 0 ? engine.compile(body) : advance;
          const keyed = random.normal(fault === 'name of the noise' ? 'my noise' : 'step', xt.shape);
          const noise = fault === 'hidden randomness' ? keyed.add(tf.randomNormal(xt.shape).mul(1e-3)) : keyed;
          if (fault === 'draws twice') random.normal('step', xt.shape);
          if (fault === 'kept tensor') tf.keep(tf.zeros([3]));
          return run(xt, step, problem, noise, scale);
        },
      };
    },
  };
  return guidance;
};

const honest: Pick<Manifest, 'needs' | 'costPerStep'> = {
  needs: ['model.gradient', 'operator.gradient', 'scheduler.transition'],
  costPerStep: { forwards: 1, vjps: 1 },
};
const container = testContainer();
/** Its operators have no spectral form. */
const withoutSvd: Container = {
  ...container,
  async plugin(kind, reference, extra) {
    const made = await container.plugin(kind, reference, extra);
    return kind === 'operator' ? { ...made, svd: undefined } : made;
  },
};
const failing = async (fault?: Fault, manifest = honest) =>
  failuresOf(
    guidanceChecks,
    await guidanceSubject(
      { name: 'guidance/mine', container, manifest },
      { guidance: method(0.5, fault), off: method(0, fault) },
      { priorAt: ['A = 0'] },
    ),
  );

it('a method that keeps the rules passes', async () => {
  expect(await failing()).toEqual([]);
});

const names = {
  finite: 'every step gives finite numbers in the right shapes',
  noiseless: 'a measurement without noise gives finite samples, or is refused',
  finiteVe: 'every step gives finite numbers in the right shapes, on a VE process too',
  misfit: 'a guided sample fits y better than an unguided one',
  misfitVe: 'a guided sample fits y better than an unguided one, on a VE process too',
  leak: 'a run leaves no tensors behind, and disposing gives back what was bound',
  mates: 'a step with batch mates that have other images and masks equals the step alone',
  place: 'at one chunk size a sample has the same bits whatever its neighbours and its place',
  seed: 'the same seed gives the same bits, another time and in another binding',
  compilations: 'fifty problems of their own are one compilation',
  purposes: 'a step draws every purpose once',
  off: 'switched off it is the unconditional sampler',
  offVe: 'switched off it is the unconditional sampler, on a VE process too',
  prior: 'A = 0 gives the prior',
  cost: 'it costs what it says',
} as const;

/** All checks that must fail, the telling one first, and what that one says. */
const expected: Record<
  (typeof faults)[number],
  { readonly fails: readonly (keyof typeof names)[]; readonly says: RegExp }
> = {
  'batch norm': {
    fails: ['mates', 'place'],
    says: /^sample 3 moved by 0\.\d+ \(relative\) in the step at position 0 when six batch mates were added: a norm, a mean or a maximum is probably taken over the batch\./,
  },
  'hidden randomness': {
    fails: ['seed', 'mates', 'place', 'off', 'offVe', 'prior'],
    says: /^sample 0 came out [\d.e-]+ \(relative\) away a second time with the same seed: random numbers are probably drawn elsewhere than from `random`/,
  },
  'kept tensor': { fails: ['leak'], says: /^a run of 20 steps leaves 20 tensors behind: something is kept/ },
  'bound tensor': { fails: ['leak'], says: /^1 tensors remain after `dispose`/ },
  'second forward': {
    fails: ['cost', 'off', 'offVe', 'prior'],
    says: /^the manifest says 20 forwards for a sample of 20 steps, and 40 were counted \(1 and 2 a step\)\. Correct "costPerStep"/,
  },
  'compiles per problem': {
    fails: ['compilations'],
    says: /^45 more problems took 9 more compilations: engine\.compile is called in `start` or `step`/,
  },
  'draws twice': {
    fails: ['purposes'],
    says: /^the purpose "step" is drawn 2 times in one step and gives the same numbers each time/,
  },
  'wrong sign': {
    fails: ['misfit', 'misfitVe'],
    says: /^the misfit \|\| y - A\(x\) \|\|\^2 is [\d.e+]+ with guidance and [\d.e+]+ without.*the wrong sign/,
  },
  'scalar of the batch': {
    fails: ['finite', 'finiteVe'],
    says: /^scalars\.residualNorm has the shape \[\] in step 19, and \[3\] is wanted/,
  },
  'name of the noise': {
    fails: ['off', 'offVe', 'prior'],
    says: /^switched off, samples differ by [\d.]+ \(relative\) from those of guidance\/none: .*another purpose than "step"/,
  },
  'not finite': {
    fails: ['finite', 'finiteVe', 'noiseless', 'misfit', 'misfitVe', 'mates', 'off', 'offVe', 'prior'],
    says: /in step 0 of 20: not a number/,
  },
  'VP mean': {
    fails: ['offVe'],
    says: /^on a VE process switched off, samples differ by [\d.e+]+ \(relative\) from those of guidance\/none.* If only there: states are sigma times larger and signal is 1, so use level\.signal and level\.noise, and toVe or fromVe where VP units are assumed\.$/,
  },
  'VP weight': {
    fails: ['misfitVe'],
    says: /^on a VE process the misfit \|\| y - A\(x\) \|\|\^2 is ([\d.e+]+) with guidance and \1 without.*too long or vanishes\. If only there/,
  },
  'no limit': {
    fails: ['noiseless'],
    says: /^at sigmaY 0 a sample failed in step 19: not a number.*Something is divided by sigmaY/,
  },
};

describe('the kit catches', () => {
  it.each(faults)('%s', async (fault) => {
    const { fails, says } = expected[fault];
    const found = await failing(fault);
    expect(found.map(({ name }) => name).toSorted()).toEqual(fails.map((key) => names[key]).toSorted());
    expect(found.find(({ name }) => fails[0] !== undefined && name === names[fails[0]])?.message).toMatch(says);
  });

  it('numbers drawn elsewhere, before it blames the batch', async () => {
    expect((await failing('hidden randomness'))[0]?.name).toBe(names.seed);
  });

  it('a state of another shape, before the operator fails on it', async () => {
    expect((await failing('flat state'))[0]).toEqual({
      name: names.finite,
      message:
        'step 19 got the state float32[3,6,5,3] and returned float32[3,30,1,3]: the state of the next step has the same shapes and the same names. ' +
        'A state that is more than the image is made in `start`, and `result` names its image.',
    });
  });

  it('a need that is claimed and not used', async () => {
    expect(await failing(undefined, { ...honest, needs: [...honest.needs, 'operator.svd'] })).toEqual([
      {
        name: 'it uses everything that it says it needs',
        message:
          'the manifest needs operator.svd, which no step of a run used: operators and models without it are refused for nothing. Remove it from "needs".',
      },
    ]);
  });

  it('a need that is not claimed', async () => {
    expect(await failing(undefined, { ...honest, needs: ['operator.gradient', 'scheduler.transition'] })).toEqual([
      {
        name: 'it needs nothing that it does not say',
        message:
          'the manifest needs operator.gradient, scheduler.transition, and with nothing more than that a run fails: a gradient is taken through the model, which has none here. Name model.gradient in "needs", or say no in `refuses`.',
      },
    ]);
    const [none] = await failing(undefined, { ...honest, needs: [] });
    expect(none?.message).toMatch(
      /^the manifest needs nothing, .*\. Name operator\.gradient, model\.gradient, scheduler\.transition in "needs", or say no in `refuses`\.$/,
    );
  });

  it('a need that no operator of the test has', async () => {
    const manifest = { ...honest, needs: [...honest.needs, 'operator.svd'] } as const;
    const subject = guidanceSubject(
      { name: 'guidance/mine', container: withoutSvd, manifest },
      { guidance: method(0.5) },
      { operators: [{ id: 'inpaint' }, { id: 'identity' }] },
    );
    await expect(subject).rejects.toThrow(
      '[guidance/mine] works with no operator of its test (inpaint: it needs operator.svd; operator/inpaint has no svd; identity: it needs operator.svd; operator/identity has no svd). ' +
        'Name one with which it does in `operators`.',
    );
  });
});

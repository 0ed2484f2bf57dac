/** The prior of core.json as a model: its values, its vector-Jacobian products, and unconditional steps with it. */
import {
  clampTo,
  type Image,
  type LevelTensors,
  type Measured,
  mixtureMoments,
  type Operator,
  posteriorMixture,
  sampleDot,
  scoreFromEpsilon,
  valueAndGrad,
  tf,
} from '@tweedie/core';
import {
  bindings,
  fixtureImage,
  fixtureReport,
  largestDifference,
  methodWorld,
  stepsOfSchedule,
  storedRandom,
} from '@tweedie/testing/fixtures';
import { expect } from 'vitest';

type State = { t: number; alphaBar: number; sigma: number; responsibilities?: number[]; saturatedPixels?: number };
type Case = { id: string; time: string; outputs: string[]; float32Deviation?: Record<string, number> };

type Index = { cases: Case[]; states: Record<string, State>; tensors: string };
const report = fixtureReport('methods', 'core');
const { cases, states, tensors: file } = report.index<Index>('core.json', { cases: [], states: {}, tensors: '' });
const tensors = report.tensors(file);
const world = methodWorld();
const engine = await world.engine();
const bind = bindings(engine);

const model = cases.length + Object.keys(states).length > 0 ? await world.model() : undefined;
const valuesAt = engine.compile((xt: Image, level: LevelTensors, cotangent: Image) => {
  const along = (clip: boolean) =>
    valueAndGrad((x) => {
      const { x0hat } = model!.predict(x, level);
      return [sampleDot(clampTo(clip ? [-1, 1] : undefined, x0hat), cotangent), []];
    }, xt).gradient;
  const { x0hat, epsilon } = model!.predict(xt, level);
  const x0hatClipped = clampTo([-1, 1], x0hat);
  const vjp = along(false);
  // J is symmetric for an exact denoiser, so only the clamp tells J v from J^T v.
  const jvpClipped = vjp.mul(tf.cast(tf.equal(x0hat, x0hatClipped), 'float32'));
  return {
    x0hat,
    x0hatClipped,
    epsilon,
    score: scoreFromEpsilon(epsilon, level),
    vjp,
    vjpClipped: along(true),
    jvpClipped,
  };
});

for (const { t, sigma, alphaBar, responsibilities, saturatedPixels } of Object.values(states)) {
  const entry = (name: string) => tensors.get(`state/t${t}/${name}`)!;
  report.case(`state/t${t}`, async () => {
    const level = model!.process.table[t]!;
    expect(Math.abs(level.alphaBar / alphaBar - 1)).toBeLessThan(1e-9);
    expect(Math.abs(level.sigma / sigma - 1)).toBeLessThan(1e-9);
    const got = await valuesAt(fixtureImage(entry('xt')), level, fixtureImage(entry('cotangent')));

    const relative = {
      epsilon: 2e-5,
      score: 2e-5,
      vjp: t >= 700 ? 5e-3 : 3e-4,
      vjpClipped: t >= 700 ? 5e-3 : 3e-4,
      jvpClipped: t >= 700 ? 5e-3 : 3e-4,
    };
    const stored = <T extends string>(names: readonly T[]): T[] => {
      for (const name of names) if (!tensors.has(`state/t${t}/${name}`)) report.notListed(`state/t${t}/${name}`);
      return names.filter((name) => tensors.has(`state/t${t}/${name}`));
    };
    for (const name of stored(['x0hat', 'x0hatClipped'] as const))
      expect.soft(largestDifference(got[name], file, `state/t${t}/${name}`), name).toBeLessThan(5e-6);
    for (const name of stored(Object.keys(relative) as (keyof typeof relative)[])) {
      const tolerance = relative[name];
      const expected = fixtureImage(entry(name));
      const image = got[name];
      const ratio = tf.norm(tf.sub(image, expected)).div(tf.norm(expected)).dataSync()[0];
      expect.soft(ratio, name).toBeLessThan(tolerance);
    }
    if (saturatedPixels === undefined) return report.notListed(`state/t${t} saturatedPixels`);
    // An entry at the limit to within the tolerance may fall on either side.
    const above = (limit: number) => got.x0hat.dataSync().filter((value) => Math.abs(value) > limit).length;
    expect.soft(above(1 - 5e-6), 'saturated entries').toBeGreaterThanOrEqual(saturatedPixels);
    expect.soft(above(1 + 5e-6), 'saturated entries').toBeLessThanOrEqual(saturatedPixels);
  });

  // In float64: p(x0 | xt) is the posterior of denoising z = xt / sqrt(alphaBar) at noise level sigma.
  if (responsibilities === undefined || !tensors.has(`state/t${t}/x0hat`)) {
    report.notListed(`state/t${t}/responsibilities`);
    continue;
  }
  report.case(`state/t${t}/responsibilities`, () => {
    const z = Float64Array.from(fixtureImage(entry('xt')).dataSync(), (value) => value / Math.sqrt(alphaBar));
    const identity = new Float64Array(z.length ** 2);
    for (let i = 0; i < z.length; i++) identity[i * z.length + i] = 1;
    const posterior = posteriorMixture(model!.mixture!(), identity, z, sigma);
    responsibilities.forEach((value, k) =>
      expect.soft(Math.abs(posterior.weights[k]! - value), `component ${k}`).toBeLessThan(1e-9),
    );
    const expected = new Float64Array(z.length);
    const { data, shape } = entry('x0hat');
    const [c = 1, h = 1, w = 1] = shape;
    for (let i = 0; i < data.length; i++) expected[(i % (h * w)) * c + Math.floor(i / (h * w))] = Number(data[i]);
    const { mean } = mixtureMoments(posterior);
    expect(Math.hypot(...mean.map((value, i) => value - expected[i]!)) / Math.hypot(...expected)).toBeLessThan(1e-9);
  });
}

/** 'ddpm-learned-noclip' or 'ddim-eta0.85' as a scheduler with or without the clamp. */
function variantOf(output: string) {
  const [, eta] = /^ddim-eta([\d.]+)$/.exec(output) ?? [];
  if (eta !== undefined) return { scheduler: 'ddim', options: { eta: Number(eta) }, clamp: true };
  const [, variance, noclip] = /^ddpm-(learned|fixed-small|fixed-large)(-noclip)?$/.exec(output) ?? [];
  if (variance === undefined) throw new Error(`core.json: unknown output ${output}`);
  return {
    scheduler: 'ddpm',
    options: { variance: variance === 'learned' ? 'learned-range' : variance },
    clamp: noclip === undefined,
  };
}

/** An unconditional step looks at no measurement: any will do. */
const unmeasured = (): Measured => ({ y: tf.zeros([1, ...world.imageShape]), sigmaY: 0.05, drawn: {} });
const identity = (): Operator => ({
  linear: true,
  identity: true,
  measurementShape: world.imageShape,
  draw: () => ({}),
  forward: (x) => x.clone(),
});

for (const one of cases) {
  report.case(one.id, async () => {
    const { schedule } = world.core.times[one.time]!;
    const { xt, noise, noise2 } = world.state(one.time);
    for (const output of one.outputs) {
      const { scheduler, options, clamp } = variantOf(output);
      const { sampler, steps } = await bind(`${schedule} ${output}`, async () => ({
        guidance: await world.context.plugin('guidance', { id: 'none', options: { clamp } }),
        model: model!,
        operator: identity(),
        scheduler: await world.scheduler(scheduler, { ...options, steps: stepsOfSchedule(schedule) }),
      }));
      const { state } = await sampler.step(
        xt,
        world.stepAt(steps, one.time),
        unmeasured(),
        storedRandom(noise, noise2),
      );
      expect
        .soft(largestDifference(state as Image, file, `${one.id}/${output}`), output)
        .toBeLessThan(Math.max(5 * (one.float32Deviation?.[output] ?? 0), 2e-6));
    }
  });
}

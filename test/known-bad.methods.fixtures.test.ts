/**
 * Results with one deliberate defect each. Every golden step of a method must be able to fail on them: the defective
 * result lies outside the tolerance that the golden step allows, and our own step is not the defective one.
 */
import { type Image, tf } from '@tweedie/core';
import {
  bindings,
  fixtureImage,
  fixtureReport,
  methodWorld,
  hasFixture,
  readFixtureJson,
  readFixtureTensors,
  stepsOfSchedule,
  storedRandom,
} from '@tweedie/testing/fixtures';
import { expect } from 'vitest';

type Case = {
  id: string;
  method: string;
  tensor: string;
  distinguishable: boolean;
  /** The largest difference from the right result in float64. */
  maxAbs?: number;
  correct?: { file: string; case: string; tensor: string };
  /** Only batch/*. */
  time?: string;
  problem?: string;
  scale?: number;
  correctTensor?: string;
};
type Correct = { id: string; time?: string; float32Deviation?: number };

const report = fixtureReport('methods', 'known-bad');
const { cases, tensors: file } = report.index<{ cases: Case[]; tensors: string }>('known-bad.json', {
  cases: [],
  tensors: '',
});
const tensors = report.tensors(file);
const world = methodWorld();

/** The plugin that a method's golden steps test, by the name of the file they are in. */
const plugins: Readonly<Record<string, string>> = {
  dpsw: 'guidance/dps-w',
  psplus: 'guidance/ps-plus',
  reddiff: 'guidance/red-diff',
};
const pluginOf = (method: string) => plugins[method] ?? `guidance/${method}`;
const existing = ['daps', 'dmap', 'dps', 'dpsw', 'dsg', 'exact'];

/** What the golden steps of a method allow in float32 (the `tolerance` of its file). */
function toleranceOf(method: string, { time, float32Deviation = 0 }: Correct): number {
  if (method === 'dps') return Math.max(5 * float32Deviation, 1e-5);
  if (method === 'daps' || method === 'dsg') return Math.max(5 * float32Deviation, 2e-6);
  if (method === 'dmap') return 5e-6;
  return (world.core.times[time ?? '']?.t ?? 0) >= 700 ? 2e-5 : 1e-5;
}

const files = new Map<string, { cases: Map<string, Correct>; image: (name: string) => Image }>();
function correctFile(name: string) {
  const known = files.get(name);
  if (known !== undefined) return known;
  const listed = readFixtureJson<{ cases: Correct[]; tensors: string }>('methods', `${name}.json`);
  const stored = readFixtureTensors('methods', listed.tensors);
  const read = {
    cases: new Map(listed.cases.map((one) => [one.id, one])),
    image: (tensor: string) => fixtureImage(stored.get(tensor)!),
  };
  files.set(name, read);
  return read;
}

for (const method of new Set(cases.map((one) => one.method))) {
  if (!existing.includes(method))
    report.awaits(
      pluginOf(method),
      cases.filter((one) => one.method === method).map(({ id }) => id),
    );
}
for (const { id, method, correct, tensor, ...facts } of cases.filter((one) => existing.includes(one.method))) {
  if (correct === undefined) continue;
  if (!hasFixture('methods', `${correct.file}.json`)) {
    report.notListed(`${correct.file}.json, the right result of ${id}`);
    continue;
  }
  report.case(id, () => {
    const right = correctFile(correct.file);
    const one = right.cases.get(correct.case)!;
    const expected = right.image(`${correct.case}/${correct.tensor}`);
    const distance = tf.tidy(() => tf.max(tf.abs(tf.sub(fixtureImage(tensors.get(tensor)!), expected))).dataSync()[0]!);
    // A defect that float32 cannot show at that time is kept in the file to say so.
    if (facts.distinguishable) expect(distance).toBeGreaterThan(toleranceOf(method, one));
    if (facts.maxAbs === undefined) return report.notListed(`${id} maxAbs`);
    // Both results were rounded to float32 after their difference was taken.
    const rounding =
      2 ** -23 *
      Math.max(
        1,
        tf.tidy(() => tf.max(tf.abs(expected)).dataSync()[0]!),
      );
    expect(Math.abs(distance - facts.maxAbs), `maxAbs ${facts.maxAbs}`).toBeLessThan(
      2 * rounding + 1e-6 * facts.maxAbs,
    );
  });
}

const batches = cases.filter((one) => one.correct === undefined && one.correctTensor !== undefined);
const bind = bindings(await world.engine());
for (const one of batches) {
  report.case(one.id, async () => {
    const { operator, y, ...problem } = world.problem(one.problem!);
    const { schedule } = world.core.times[one.time!]!;
    const { sampler, steps } = await bind([operator, schedule, one.scale].join(), async () => ({
      guidance: await world.context.plugin('guidance', { id: 'dps', options: { scale: one.scale } }),
      model: await world.model(),
      operator: world.operator(operator),
      scheduler: await world.scheduler('ddpm', { variance: 'learned-range', steps: stepsOfSchedule(schedule) }),
    }));
    const xt = fixtureImage(tensors.get(`${one.id}/xt`)!);
    const noise = fixtureImage(tensors.get(`${one.id}/noise`)!);
    const measured = { ...problem, y: tf.tile(y as Image, [xt.shape[0], 1, 1, 1]) };
    const { state } = await sampler.step(xt, world.stepAt(steps, one.time!), measured, storedRandom(noise, noise));
    const distanceTo = (name: string) =>
      tf.tidy(() => tf.max(tf.abs(tf.sub(state as Image, fixtureImage(tensors.get(name)!)))).dataSync()[0]!);
    // What passes for right would not pass for wrong; by how much they differ is the file's.
    expect(distanceTo(one.correctTensor!)).toBeLessThan(1e-5);
    expect(distanceTo(one.tensor)).toBeGreaterThan(2e-5);
  });
}

/**
 * Outputs and input gradients of the fixture networks against the float64 run of the reference program, eager and
 * compiled.
 */
import { eagerEngine, type Image, type SafetensorsEntry, type Tensor, tf, sizeOf } from '@tweedie/core';
import { jit } from '@tweedie/jit';
import { testContext } from '@tweedie/testing';
import {
  fixtureFolder,
  fixtureImage,
  fixtureReport,
  hasFixture,
  readFixtureTensors,
  weightsOfNetwork,
} from '@tweedie/testing/fixtures';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { type AdmConfig, admParameters, admUnet, type Weights, admWeights, openCheckpoint } from '../src/index.ts';

type Model = {
  readonly config: AdmConfig;
  readonly parameters: number;
  readonly tensors: number;
  readonly io: Readonly<Record<string, { readonly t: readonly number[] }>>;
  readonly output_change_for_common_mistakes?: Readonly<Record<string, Readonly<Record<string, number>>>>;
};
type Call = (x: Image, t: Tensor, cotangent: Image) => { out: Image; vjp: Image };

const report = fixtureReport('network', 'adm-unet');
const { files } = testContext(fixtureFolder('network'));
const { models } = report.index<{ models: Readonly<Record<string, Model>> }>('index.json', { models: {} });

/** Largest difference, and the 2-norm of the difference relative to that of the truth. */
function gap(got: Tensor, truth: SafetensorsEntry): { largest: number; relative: number } {
  const differences = got.sub(fixtureImage(truth));
  return {
    largest: differences.abs().max().dataSync()[0]!,
    relative: differences.norm().dataSync()[0]! / fixtureImage(truth).norm().dataSync()[0]!,
  };
}

const engines = {
  eager: (fn: Call) => eagerEngine().compile(fn),
  compiled: (fn: Call) => jit(fn),
};

/** Of the mistakes that the fixtures measured, those that can be made from outside. */
const mistakes: Readonly<
  Record<string, { readonly changes?: (config: AdmConfig) => Partial<AdmConfig>; readonly t?: (t: number) => number }>
> = {
  'other attention order': {
    changes: ({ use_new_attention_order: order = false }) => ({ use_new_attention_order: !order }),
  },
  'fractional t rounded': { t: Math.round },
};

for (const [
  name,
  { config, parameters, tensors, io, output_change_for_common_mistakes: changes = {} },
] of Object.entries(models)) {
  report.case(`${name}/count`, () => {
    const all = admParameters(config);
    expect(all.length).toBe(tensors);
    expect(all.reduce((sum, { shape }) => sum + sizeOf(shape), 0)).toBe(parameters);
  });
  const file = weightsOfNetwork(name);
  if (file === undefined) {
    report.notListed(`weights of ${name}`);
    continue;
  }
  if (!hasFixture('network', `${name}.io.safetensors`)) {
    report.notListed(`${name}.io.safetensors`);
    continue;
  }
  describe(name, () => {
    const stored = readFixtureTensors('network', `${name}.io.safetensors`);
    // The float64 run where the file has it, or the float32 one, whose error the tolerances hold many times over.
    const tensor = (key: string): SafetensorsEntry => (stored.get(key) ?? stored.get(key.replace('64_', '_')))!;
    let weights: Weights;
    beforeAll(async () => {
      weights = await admWeights(config, await openCheckpoint(file, files));
    });
    afterAll(() => tf.dispose([...weights.values()]));

    for (const [engine, compile] of Object.entries(engines)) {
      for (const key of Object.keys(io)) {
        report.case(`${name}/${key}/${engine}`, async () => {
          const unet = admUnet(config, weights);
          const run = compile((x, t, cotangent) => {
            const { value, grad } = tf.valueAndGrad((image: Tensor) => unet(image as Image, t))(x, cotangent);
            return { out: value, vjp: grad as Image };
          });
          const t = tf.tensor1d(Float32Array.from(tensor(`t_${key}`).data, Number));
          const { out, vjp } = await run(
            fixtureImage(tensor('x')),
            t,
            stored.has('cotangent') ? fixtureImage(tensor('cotangent')) : fixtureImage(tensor(`out64_${key}`)),
          );
          expect(gap(out, tensor(`out64_${key}`)).largest).toBeLessThan(2e-4);
          run.dispose();
          if (!stored.has(`vjp64_${key}`) && !stored.has(`vjp_${key}`)) return report.notListed(`${name}/vjp_${key}`);
          const ofVjp = gap(vjp, tensor(`vjp64_${key}`));
          expect(ofVjp.largest).toBeLessThan(3e-3);
          expect(ofVjp.relative).toBeLessThan(1e-4);
        });
      }
    }

    for (const [key, measured] of Object.entries(changes)) {
      for (const [mistake, change] of Object.entries(measured)) {
        const made = mistakes[mistake];
        if (made === undefined) continue;
        report.case(`${name}/${key}/${mistake}`, async () => {
          const wrong = { ...config, ...made.changes?.(config) };
          const mistaken = await admWeights(wrong, await openCheckpoint(file, files));
          const run = jit((x: Image, t: Tensor) => admUnet(wrong, mistaken)(x, t));
          const t = Array.from(tensor(`t_${key}`).data, Number).map(made.t ?? ((value) => value));
          const { largest } = gap(await run(fixtureImage(tensor('x')), tf.tensor1d(t)), tensor(`out64_${key}`));
          expect(Math.abs(largest - change)).toBeLessThan(1e-3);
          run.dispose();
          tf.dispose([...mistaken.values()]);
        });
      }
    }
  });
}

/** The state after every block, and the time embedding: where two implementations part. */
import { type Tensor, tf } from '@tweedie/core';
import { fixtureImage, fixtureReport, hasFixture, readFixtureTensors } from '@tweedie/testing/fixtures';
import { beforeAll, describe, expect } from 'vitest';
import { type AdmConfig, admUnet, admWeights, timeEmbedding, timeFrequencies } from '../src/index.ts';
import { checkpointOf } from './checkpoint.ts';

const report = fixtureReport('network', 'adm-blocks');

type Network = {
  readonly config: AdmConfig;
  readonly io?: Readonly<Record<string, { readonly t: readonly number[] }>>;
};
const { models } = report.index<{ models: Readonly<Record<string, Network>> }>('index.json', { models: {} });
for (const [model, { config, io: listed = {} }] of Object.entries(models)) {
  if (!hasFixture('network', `${model}.blocks.safetensors`)) {
    report.notListed(`${model}.blocks.safetensors`);
    continue;
  }
  describe(model, () => {
    const blocks = readFixtureTensors('network', `${model}.blocks.safetensors`);
    const seen = new Map<string, Tensor>();
    beforeAll(async () => {
      const io = readFixtureTensors('network', `${model}.io.safetensors`);
      const weights = await admWeights(config, checkpointOf(readFixtureTensors('network', `${model}.safetensors`)));
      const unet = admUnet(config, weights, (name, value) => seen.set(name, value));
      // The blocks are those of integer timesteps, where a file has both; else of the one case there is.
      const [key] = ['int', 'frac', ...Object.keys(listed)].filter((each) => io.has(`t_${each}`));
      const t = io.get(`t_${key}`)?.data[0] ?? listed[key ?? '']?.t[0];
      expect(t, `${model}.io.safetensors has no timestep t_<case>`).toBeDefined();
      unet(tf.slice(fixtureImage(io.get('x')!), [0, 0, 0, 0], [1, -1, -1, -1]), tf.tensor1d([Number(t)]));
    });
    for (const [name, entry] of blocks) {
      report.case(`${model}/${name}`, () => {
        const got = seen.get(name)!;
        const expected =
          entry.shape.length === 4
            ? fixtureImage(entry)
            : tf.tensor(Float32Array.from(entry.data, Number), [...entry.shape]);
        // Of the larger blocks only the first channels are stored.
        const shared = got.rank === 4 ? tf.slice(got, [0, 0, 0, 0], [-1, -1, -1, expected.shape[3] ?? -1]) : got;
        expect(shared.sub(expected).abs().max().dataSync()[0]! / expected.abs().max().dataSync()[0]!).toBeLessThan(
          2e-5,
        );
      });
    }
    report.case(`${model}, every block by its name`, () => {
      expect([...blocks.keys()].filter((name) => !seen.has(name))).toEqual([]);
      // Another file may hold some of them.
      if (!process.env['TWEEDIE_FIXTURES']) expect([...seen.keys()].sort()).toEqual([...blocks.keys()].sort());
    });
  });
}

type Embeddings = {
  readonly dims: Readonly<
    Record<string, { readonly t: readonly number[]; readonly f64: readonly (readonly number[])[] }>
  >;
};
const { dims } = report.index<Embeddings>('timestep-embedding.json', { dims: {} });
for (const [width, { t, f64 }] of Object.entries(dims)) {
  report.case(`timestep embedding ${width}`, () => {
    const half = Math.floor(Number(width) / 2);
    const got = timeEmbedding(tf.tensor1d([...t]), Number(width));
    expect(got.shape).toEqual([t.length, Number(width)]);
    const values = got.dataSync();
    f64.flat().forEach((value, i) => expect(Math.abs(values[i]! - value)).toBeLessThan(5e-5));
    // The frequencies are float64: so are the sinusoids made from them.
    const exact = t.map((each) =>
      timeFrequencies(half).flatMap((frequency) => [Math.cos(each * frequency), Math.sin(each * frequency)]),
    );
    exact.forEach((row, i) =>
      row.forEach((value, k) =>
        expect(Math.abs(value - f64[i]![(k % 2) * half + Math.floor(k / 2)]!)).toBeLessThan(1e-11),
      ),
    );
    // One t for the whole batch is one row.
    expect(timeEmbedding(tf.scalar(t[0]!), Number(width)).shape).toEqual([1, Number(width)]);
  });
}

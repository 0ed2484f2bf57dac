import { type Tensor, tf } from '@tweedie/core';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createGraph } from '../src/graph/create-graph.ts';
import { jit } from '../src/index.ts';
import { withModel } from '../src/session/model-file.ts';
import { add, table } from '../src/graph/ops.ts';
import { relativeError } from './agreement.ts';

/** Models of other tests come and go in the folder that all share. */
let own: string;
beforeEach(() => {
  own = mkdtempSync(join(tmpdir(), 'tweedie-test-'));
  vi.stubEnv('TMPDIR', own);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(own, { recursive: true });
});
const temporary = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('tweedie-model-'));

/** A model with so many constants that they go to a file. */
function large() {
  const g = createGraph();
  const input = g.input('in0', { shape: [2 ** 21], dtype: 'float32' });
  return {
    inputs: [input],
    outputs: [
      add(
        g,
        input,
        table(
          g,
          Array.from({ length: 2 ** 21 }, (_, i) => i),
          'float32',
        ),
      ),
    ],
  };
}

describe('a model of more than 4 MB of constants', () => {
  it('computes what a small one does, from files that are gone by then', async () => {
    const [weights, x] = [
      tf.randomNormal([1200, 1000], 0, 1, 'float32', 3),
      tf.randomNormal([2, 1200], 0, 1, 'float32', 4),
    ];
    const compiled = jit((v: Tensor) => v.matMul(weights).matMul(weights.transpose()));
    const result = await compiled(x);
    expect(temporary()).toEqual([]);
    expect(relativeError(result.dataSync(), x.matMul(weights).matMul(weights.transpose()).dataSync())).toBeLessThan(
      1e-3,
    );
    expect(relativeError((await compiled(x)).dataSync(), result.dataSync())).toBe(0);
    compiled.dispose();
  });

  it('keeps small constants that are turned around apart from each other and from large ones', async () => {
    const [filter, weights] = [
      tf.randomNormal([3, 3, 4, 4], 0, 1, 'float32', 3) as tf.Tensor4D,
      tf.randomNormal([256, 5000], 0, 1, 'float32', 4),
    ];
    const fn = (v: Tensor): Tensor =>
      tf
        .conv2d(
          tf.conv2d(v as tf.Tensor4D, filter, 1, 'same'),
          filter.transpose([1, 0, 3, 2]) as tf.Tensor4D,
          1,
          'same',
        )
        .reshape([1, 256])
        .matMul(weights);
    const compiled = jit(fn);
    const x = tf.randomNormal([1, 8, 8, 4], 0, 1, 'float32', 5);
    expect(relativeError((await compiled(x)).dataSync(), fn(x).dataSync())).toBeLessThan(1e-3);
    compiled.dispose();
  });

  it('leaves nothing behind, also where the session fails', async () => {
    let path = '';
    await withModel(large(), async (model) => {
      path = model as string;
      expect(existsSync(path)).toBe(true);
    });
    expect(existsSync(path)).toBe(false);
    const failing = withModel(large(), async (model) => {
      path = model as string;
      throw new Error('no session');
    });
    await expect(failing).rejects.toThrow('no session');
    expect(existsSync(path)).toBe(false);
  });

  it('removes what a process that was killed while it compiled has left', async () => {
    const code = `
      import { withModel } from ${JSON.stringify(import.meta.resolve('../src/session/model-file.ts'))};
      import { createGraph } from ${JSON.stringify(import.meta.resolve('../src/graph/create-graph.ts'))};
      import { add, table } from ${JSON.stringify(import.meta.resolve('../src/graph/ops.ts'))};
      const g = createGraph();
      const input = g.input('in0', { shape: [2 ** 21], dtype: 'float32' });
      const outputs = [add(g, input, table(g, Array.from({ length: 2 ** 21 }, (_, i) => i), 'float32'))];
      await withModel({ inputs: [input], outputs }, async () => process.kill(process.pid, 'SIGKILL'));`;
    const options = ['--conditions=@tweedie/source', '--import', import.meta.resolve('tsx'), '--input-type=module'];
    const { signal } = spawnSync(process.execPath, [...options, '-e', code], { env: { ...process.env, TMPDIR: own } });
    expect(signal).toBe('SIGKILL');
    expect(temporary()).toHaveLength(1);
    await withModel(large(), async () => expect(temporary()).toHaveLength(1));
    expect(temporary()).toEqual([]);
  });

  it('says where it could not be written', async () => {
    vi.stubEnv('TMPDIR', '/nowhere');
    await expect(withModel(large(), async () => undefined)).rejects.toThrow(
      /^jit: the compiled model could not be written to \/nowhere: .*Make room there, or name another folder in TMPDIR\.$/,
    );
  });
});

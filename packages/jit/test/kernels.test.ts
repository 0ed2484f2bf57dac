import { tf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { families, lowerings } from '../src/lowering/index.ts';
import { unlowered } from '../src/lowering/unlowered.ts';
import { kernelNames, kernelTable } from './kernel-table.ts';

const names = kernelNames();

describe('the kernels of TensorFlow.js', () => {
  it('are lowered, or have a reason not to be, and only one of the two', () => {
    expect(names.filter((name) => lowerings[name] === undefined && unlowered[name] === undefined)).toEqual([]);
    expect(Object.keys(unlowered).filter((name) => lowerings[name] !== undefined || !names.includes(name))).toEqual([]);
    const ours = tf
      .getKernelsForBackend('cpu')
      .map(({ kernelName }) => kernelName)
      .filter((name) => name.startsWith('Tweedie'));
    expect(Object.keys(lowerings).filter((name) => !names.includes(name))).toEqual(ours);
  });

  it('are lowered in one file each', () => {
    const all = Object.values(families).flatMap((family) => Object.keys(family));
    expect(all.filter((name, i) => all.indexOf(name) !== i)).toEqual([]);
  });

  it('are the ones in docs/jit-kernels.md; `npm run docs:kernels` writes it anew', async () => {
    await expect(kernelTable()).toMatchFileSnapshot('../../../docs/jit-kernels.md');
  });
});

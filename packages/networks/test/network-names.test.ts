import { ConfigError } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { networkNames } from '../src/checkpoints/network-names.ts';

const own = ['time_embed.0.weight', 'input_blocks.0.0.weight', 'out.2.bias'];
const under = (prefix: string, names = own): string[] => names.map((name) => prefix + name);

describe('the names of a network', () => {
  it.each<[string, string[], string, string[]]>([
    ['as they are', under(''), '', []],
    ['under a prefix', under('module.'), 'module.', ['prefix "module." taken off']],
    ['of a compiled module', under('_orig_mod.'), '_orig_mod.', ['prefix "_orig_mod." taken off']],
    [
      'beside another network and buffers',
      [...under('model.diffusion_model.'), 'first_stage_model.conv_in.weight', 'betas'],
      'model.diffusion_model.',
      ['prefix "model.diffusion_model." taken off', 'left out, not of this network: first_stage_model, betas'],
    ],
    [
      'of averages beside the running ones',
      [...under('model.'), ...under('ema.model.')],
      'ema.model.',
      ['prefix "ema.model." taken off', 'averaged weights taken', 'left out, not of this network: model'],
    ],
  ])('%s are found', (_, names, prefix, notes) => {
    const found = networkNames(names, 'net.pt');
    expect([...found.stored]).toEqual(own.map((name) => [name, prefix + name]));
    expect(found.notes).toEqual(notes);
  });

  it('of averages without dots are those of the running names, unless one is missing', () => {
    const running = under('model.diffusion_model.');
    const flat = own.map((name) => `model_ema.diffusion_model${name.replaceAll('.', '')}`);
    const found = networkNames([...running, ...flat, 'model_ema.decay'], 'net.ckpt');
    expect([...found.stored]).toEqual(own.map((name, k) => [name, flat[k]]));
    expect(found.notes.at(-1)).toBe('averaged weights taken, "model_ema."');
    const fewer = networkNames([...running, ...flat.slice(1)], 'net.ckpt');
    expect([...fewer.stored.values()]).toEqual(running);
    expect(fewer.notes.at(-1)).toBe('running weights taken, for 1 of 3 averages under "model_ema." are missing');
  });

  it('of other families are found, too', () => {
    expect([...networkNames(['model.map_layer0.weight', 'model.map_layer1.weight', 'u'], 'a').stored]).toEqual([
      ['map_layer0.weight', 'model.map_layer0.weight'],
      ['map_layer1.weight', 'model.map_layer1.weight'],
    ]);
    expect([
      ...networkNames(under('unet.', ['conv_in.weight', 'time_embedding.linear_1.weight']), 'a').stored.keys(),
    ]).toEqual(['conv_in.weight', 'time_embedding.linear_1.weight']);
    expect([...networkNames(['a', 'b'], 'a').stored.values()]).toEqual(['a', 'b']);
  });

  it('of two networks are refused', () => {
    const two = (): unknown => networkNames([...under('prior.'), ...under('decoder.')], 'net.pt');
    expect(two).toThrow(ConfigError);
    expect(two).toThrow('[net.pt] holds 2 networks, under "prior.", "decoder.", and nothing says which is meant.');
  });
});

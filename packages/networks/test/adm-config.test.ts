import { ConfigError, sizeOf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { type AdmConfig, admParameters, admPlan, type Block } from '../src/index.ts';
import { ffhq, imagenet, smallest } from './configurations.ts';

const numbersIn = (config: AdmConfig) => admParameters(config).reduce((sum, { shape }) => sum + sizeOf(shape), 0);

it.each([
  ['FFHQ', ffhq, 93_563_910, 362],
  ['ImageNet', imagenet, 552_814_086, 566],
])('%s has the parameters and tensors of the released network', (_, config, parameters, tensors) => {
  expect(admParameters(config).length).toBe(tensors);
  expect(new Set(admParameters(config).map(({ name }) => name)).size).toBe(tensors);
  expect(numbersIn(config)).toBe(parameters);
});

const show = ({ layers }: Block): string =>
  layers
    .map((layer) => {
      switch (layer.kind) {
        case 'convolution':
          return `conv ${layer.inputs} -> ${layer.outputs}`;
        case 'residual':
          return layer.resample === 'none'
            ? `res ${layer.inputs} -> ${layer.outputs}`
            : `${layer.resample} ${layer.outputs}`;
        case 'attention':
          return `attn ${layer.channels}/${layer.heads}`;
        case 'resample':
          return `${layer.to}${layer.convolve ? ' conv' : ''} ${layer.channels}`;
      }
    })
    .join(', ');

it('FFHQ has the blocks of docs/methods.md 7.2', () => {
  const plan = admPlan(ffhq);
  expect(plan.down.map(show)).toEqual([
    'conv 3 -> 128',
    'res 128 -> 128',
    'down 128',
    'res 128 -> 128',
    'down 128',
    'res 128 -> 256',
    'down 256',
    'res 256 -> 256',
    'down 256',
    'res 256 -> 512, attn 512/8',
    'down 512',
    'res 512 -> 512',
  ]);
  expect(plan.middle.map(show)).toEqual(['res 512 -> 512', 'attn 512/8', 'res 512 -> 512']);
  expect(plan.up.map(show)).toEqual([
    'res 1024 -> 512',
    'res 1024 -> 512, up 512',
    'res 1024 -> 512, attn 512/8',
    'res 768 -> 512, attn 512/8, up 512',
    'res 768 -> 256',
    'res 512 -> 256, up 256',
    'res 512 -> 256',
    'res 384 -> 256, up 256',
    'res 384 -> 128',
    'res 256 -> 128, up 128',
    'res 256 -> 128',
    'res 256 -> 128',
  ]);
  expect(plan.up[3]?.layers.map(({ name }) => name)).toEqual([
    'output_blocks.3.0',
    'output_blocks.3.1',
    'output_blocks.3.2',
  ]);
});

describe('switches', () => {
  const names = (changes: Partial<AdmConfig>) =>
    admParameters({ ...smallest, ...changes }).map(({ name, shape }) => `${name} ${shape.join('x')}`);

  it('layers that resample have convolutions, or none', () => {
    expect(names({})).toContain('input_blocks.2.0.op.weight 32x32x3x3');
    expect(names({})).toContain('output_blocks.1.2.conv.bias 64');
    expect(names({ conv_resample: false }).filter((name) => /\.(op|conv)\./.test(name))).toEqual([]);
    expect(names({ resblock_updown: true })).toContain('input_blocks.2.0.in_layers.2.weight 32x32x3x3');
  });

  it('the time embedding scales and shifts, or is added', () => {
    expect(names({})).toContain('input_blocks.1.0.emb_layers.1.weight 64x128');
    expect(names({ use_scale_shift_norm: false })).toContain('input_blocks.1.0.emb_layers.1.weight 32x128');
  });

  it('learn_sigma doubles the output', () => {
    expect(names({})).toContain('out.2.weight 6x32x3x3');
    expect(names({ learn_sigma: false, in_channels: 1 })).toEqual(
      expect.arrayContaining(['out.2.weight 1x32x3x3', 'input_blocks.0.0.weight 32x1x3x3']),
    );
  });

  it('heads by number or by width, others on the way up', () => {
    const heads = (changes: Partial<AdmConfig>) => {
      const { down, up } = admPlan({ ...smallest, ...changes });
      return [...down, ...up].flatMap(({ layers }) =>
        layers.flatMap((layer) => (layer.kind === 'attention' ? [layer.heads] : [])),
      );
    };
    expect(heads({})).toEqual([4, 4, 4]);
    expect(heads({ num_head_channels: 32 })).toEqual([2, 2, 2]);
    expect(heads({ num_heads_upsample: 8 })).toEqual([4, 8, 8]);
  });

  it.each([
    [512, '0.5,1,1,2,2,4,4'],
    [256, '1,1,2,2,4,4'],
    [128, '1,1,2,3,4'],
    [64, '1,2,3,4'],
  ])('an empty channel_mult at size %i is %s', (image_size, channel_mult) => {
    expect(admPlan({ ...ffhq, image_size, channel_mult: '' })).toEqual(admPlan({ ...ffhq, image_size, channel_mult }));
  });
});

it.each<[Partial<AdmConfig>, string]>([
  [
    { image_size: 0 },
    '[adm-unet] image_size is 0, not a whole number above 0. Copy it from the configuration that the network was trained with.',
  ],
  [
    { channel_mult: '' },
    "[adm-unet] channel_mult is not given, and image_size 4 has no usual one; 64 has '1,2,3,4', 128 has '1,1,2,3,4', 256 has '1,1,2,2,4,4', 512 has '0.5,1,1,2,2,4,4'. Copy channel_mult from the configuration that the network was trained with, or correct image_size; '1,2,2' is three levels, each half the size of the one before.",
  ],
  [{ channel_mult: '1,,2' }, "[adm-unet] channel_mult '1,,2' is not a list of numbers above 0. Write it as '1,2,2'."],
  [
    { attention_resolutions: '16;8' },
    "[adm-unet] attention_resolutions '16;8' is not a list of numbers above 0. Write it as '16,8'.",
  ],
  [
    { channel_mult: '1,1,1,1' },
    '[adm-unet] image_size 4 cannot be halved 3 times. Give an image size for the 4 levels of channel_mult, or fewer levels.',
  ],
  [
    { num_channels: 48 },
    '[adm-unet] a level has 48 channels, which 32 norm groups do not divide. Choose num_channels and channel_mult accordingly.',
  ],
  [
    { num_heads: 3 },
    '[adm-unet] input_blocks.3.1 has 64 channels, which 3 heads do not divide. Correct num_heads or num_head_channels.',
  ],
  [
    { num_head_channels: 48 },
    '[adm-unet] input_blocks.3.1 has 64 channels, which heads of 48 do not divide. Correct num_heads or num_head_channels.',
  ],
])('refuses %j', (changes, message) => {
  expect(() => admPlan({ ...smallest, ...changes })).toThrow(ConfigError);
  expect(() => admPlan({ ...smallest, ...changes })).toThrow(message);
});

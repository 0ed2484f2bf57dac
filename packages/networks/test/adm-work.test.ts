import { expect, it } from 'vitest';
import { admMultiplyAdds } from '../src/index.ts';
import { ffhq, imagenet, smallest } from './configurations.ts';

it('counts the multiply-adds of docs/methods.md 7.1', () => {
  expect(Math.round(admMultiplyAdds(ffhq) / 1e9)).toBe(194);
  expect(Math.round(admMultiplyAdds(imagenet) / 1e9)).toBe(1120);
});

it('counts layers that resample where they convolve', () => {
  const config = { ...smallest, num_channels: 32, channel_mult: '1,1', attention_resolutions: '4' };
  const convolving = admMultiplyAdds({ ...config, conv_resample: true });
  const [halved, doubled] = [9 * 4 * 32 ** 2, 9 * 16 * 32 ** 2];
  expect(convolving - admMultiplyAdds({ ...config, conv_resample: false })).toBe(halved + doubled);
});

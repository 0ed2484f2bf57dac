import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256 } from '@tweedie/core';
import { randomCheckpoint } from '@tweedie/networks';
import { afterAll, expect, it } from 'vitest';
import { tweedie } from './start.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-cli-checkpoint-'));
afterAll(() => rmSync(folder, { recursive: true }));
const config = {
  image_size: 16,
  num_channels: 32,
  num_res_blocks: 1,
  channel_mult: '1,2',
  attention_resolutions: '8',
  learn_sigma: true,
  resblock_updown: true,
};
const bytes = randomCheckpoint(config, 1);
writeFileSync(join(folder, 'net.safetensors'), bytes);
writeFileSync(join(folder, 'page.pt'), '<!DOCTYPE html><html><body>Sign in</body></html>');
const run = (...argv: string[]) => tweedie(['checkpoint', ...argv], { cwd: folder });

it('checkpoint inspect says what a file is, and prints the lines of a recipe', async () => {
  const { code, out, err } = await run('inspect', 'net.safetensors', '--image-size', '16');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toContain('U-Net of guided diffusion, 32 channels, levels 1,2');
  expect(out).toContain(sha256(bytes));
  expect(out).toContain(`
model:
  id: ddpm-vp
  options:
    weights: 'net.safetensors'
    image_size: 16
    num_channels: 32
    num_res_blocks: 1
    channel_mult: '1,2'
    learn_sigma: true
    use_scale_shift_norm: true
    resblock_updown: true
    conv_resample: true
    in_channels: 3
    attention_resolutions: '8'
`);
  expect(out).toMatch(
    /To be added or checked, for the file does not say:\n {2}num_heads or num_head_channels +not in the tensors/,
  );
  const json = JSON.parse((await run('inspect', 'net.safetensors', '--json')).out) as { asked: string[][] };
  expect(json.asked[0]).toEqual(['image_size', 'not in the tensors']);
});

it('checkpoint inspect calls a wrong file what it is', async () => {
  expect(await run('inspect', 'page.pt')).toEqual({
    code: 2,
    out: '',
    err: 'Error: [page.pt] is a page of HTML or XML: the server sent a page (a login, an error) for the file. Open the address in a browser, see what it says, and download the file itself.\n',
  });
  expect((await run('inspect', 'gone.pt')).err).toContain('gone.pt] does not exist.');
});

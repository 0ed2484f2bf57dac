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
const run = (...argv: string[]) =>
  tweedie(['checkpoint', ...argv], { cwd: folder, env: { TWEEDIE_CACHE: join(folder, 'cache') } });

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

it('checkpoint list has the published checkpoints, with what their licences forbid', async () => {
  const { code, out } = await run('list');
  expect(code).toBe(0);
  expect(out).toMatch(/^ {2}edm-ffhq-64-vp +FFHQ 64 of NVlabs\/edm, DDPM\+\+ +no commercial use$/m);
  expect(out).toMatch(/^ {2}ffhq-256 .*\(ffhq_10m\.pt\) +by hand +licence not stated$/m);
  const json = JSON.parse((await run('list', '--json')).out) as { id: string; isThere: boolean }[];
  expect(json.find(({ id }) => id === 'imagenet-256')).toMatchObject({
    page: 'https://github.com/openai/guided-diffusion',
    commercial: 'allowed',
    isThere: false,
  });
});

it('checkpoint get takes a file that the user has, shows the licence before, and says the line of a recipe', async () => {
  const { code, out, err } = await run('get', 'edm-ffhq-64-vp', '--from', 'net.safetensors');
  expect(code).toBe(0);
  expect(err).toContain('Licence: CC BY-NC-SA 4.0.\nTHIS LICENCE FORBIDS COMMERCIAL USE.\n');
  expect(out).toMatch(/edm-ffhq-64x64-uncond-vp\.pkl +new +SHA-256 [0-9a-f]{64} +none is published to compare it with/);
  expect(out).toContain('In a recipe:\n\nmodel: { id: edm-ffhq-64-vp }\n');
  expect((await run('get', 'ffhq-256')).err).toContain('download ffhq_10m.pt there with a browser, then say');
  expect((await run('get', 'ffhq-265')).err).toContain('there is no card "ffhq-265". Did you mean "ffhq-256"');
  expect((await run('get')).err).toContain('which checkpoint is not said. Say tweedie checkpoint get <id>');
});

it('checkpoint convert writes safetensors that are read as what they were', async () => {
  const { code, out } = await run('convert', 'net.safetensors', '--out', 'half.safetensors', '--half');
  expect(code).toBe(0);
  expect(out).toContain("model: { id: ddpm-vp, options: { weights: 'half.safetensors', num_channels: 32,");
  expect((await run('inspect', 'half.safetensors')).out).toContain(
    'U-Net of guided diffusion, 32 channels, levels 1,2',
  );
  expect((await run('convert', 'net.safetensors', '--out', './net.safetensors')).err).toContain(
    'is the file that is to be converted. Choose another file with --out.',
  );
});

it('info, cite and fetch know a published checkpoint as a model', async () => {
  const { out } = await tweedie(['info', 'edm-ffhq-64-vp'], { cwd: folder });
  expect(out).toMatch(/^model\/edm-ffhq-64-vp: FFHQ 64 of NVlabs\/edm, DDPM\+\+\n/);
  expect(out).toMatch(
    / weights +It is published at https:\/\/github\.com\/NVlabs\/edm; npx tweedie checkpoint get edm-ffhq-64-vp/,
  );
  expect((await tweedie(['fetch', 'ffhq-256'], { cwd: folder })).err).toContain(
    '[model/ffhq-256] is a published checkpoint. It is published at https://drive.google.com/',
  );
  const cited = await tweedie(['cite', join(import.meta.dirname, '../../../recipes/imagenet.yaml')], { cwd: folder });
  expect(cited.out).toContain('@inproceedings{dhariwal2021diffusion');
});

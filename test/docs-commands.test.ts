/**
 * Every command of the pages runs as it is written, page after page, each in a folder of its own that looks like a
 * clone of the repository; or test/docs-commands.ts says why not.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodePng } from '@tweedie/testing';
import { afterAll, expect, it } from 'vitest';
import { excused, long } from './docs-commands.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tweedie-docs-')));
afterAll(() => rmSync(folder, { recursive: true }));
const whole = process.env['TWEEDIE_FULL'] === '1';

const pages = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((page) => /^(README\.md|docs\/[^/]+\.md|(packages|plugins)\/[^/]+\/README\.md)$/.test(page));

/** What a line of a fenced block without a language begins with, where it is a command. */
const program =
  /^(\$ )?(npx|npm|node|sh|python3|cd|export|job=|sbatch|for|apt-get|redis-server|~\/|[A-Z_]+=\S+ )\S*( |\b)/;

/** The commands of a page in their order, without their comments; those with a <placeholder> show a form. */
const commandsOf = (text: string): readonly string[] =>
  [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```|`((?:npx|npm|node|sh|python3) [^`\n]+)`/gm)]
    .flatMap(([, language, block, inline]) => {
      if (inline !== undefined) return [inline];
      return language === '' || language === 'sh' ? block!.split('\n').filter((line) => program.test(line)) : [];
    })
    .map((line) =>
      line
        .replace(/^\$ /, '')
        .replace(/\s+#.*$/, '')
        .trim(),
    )
    .filter((line) => !/<[a-z]/.test(line));

const commands = new Map(pages.map((page) => [page, commandsOf(readFileSync(join(root, page), 'utf8'))]));

it('what is not run has a reason that holds, and no reason is left over', () => {
  const all = new Set([...commands.values()].flat());
  expect(all.size).toBeGreaterThan(100);
  expect(Object.keys(excused).filter((command) => !all.has(command))).toEqual([]);
  const untrue = Object.entries(excused).flatMap(([command, excuse]) => {
    if (typeof excuse === 'string') return [];
    const path = join(root, excuse.file);
    return existsSync(path) && readFileSync(path, 'utf8').includes(excuse.text) ? [] : [`${command}: ${excuse.file}`];
  });
  expect(untrue).toEqual([]);
});

/** `npx` of a clone, which finds the clone's own programs. Shortened: pictures in two steps, plans without a
 * trial, no processes beside the command's. */
const npx = `#!/bin/sh
tool=$1; shift
case $tool in
  tweedie)
    case $1 in
      restore) set -- "$@" --steps 2 ;;
      plan) set -- "$@" --no-measure ;;
      compare) set -- "$@" --workers 0 ;;
    esac
    exec "${process.execPath}" "${join(root, 'packages/cli/bin/tweedie.js')}" "$@" ;;
  *) echo "npx $tool: unknown here" >&2; exit 127 ;;
esac
`;

/** A plugin of somebody else's, installed. */
const THEIRS =
  'at=$(mktemp -d) && (cd "$at" && npx tweedie new guidance theirs) && mv "$at/guidance-theirs" node_modules/tweedie-guidance-theirs';

const recipe = `title: Mine
model: { id: gmm, options: { shape: [4, 4, 3], smooth: { length: 2, std: 0.5 } } }
images: { from: prior, count: 4 }
operators: [identity]
sigmaY: 0.1
methods: [none, dps]
scheduler: { id: ddpm, options: { steps: 4 } }
metrics: [psnr]
`;
const patches = `data: { dataset: { id: folder, options: { path: scans, size: 32 } } }
heldOut: { dataset: { id: folder, options: { path: scans, size: 32 } }, patches: 200 }
size: 4
components: 2
patches: 500
first: 100
`;
const training = `data: { dataset: { id: folder, options: { path: scans, size: 8 } } }
network: { image_size: 8, num_channels: 32, num_res_blocks: 1, channel_mult: '1,2', attention_resolutions: none, conv_resample: false }
images: 8
batch: 4
`;

/** What of a clone commands touch, with files of the reader's, and those that the page shows under their names. */
async function clone(page: string): Promise<string> {
  const at = mkdtempSync(join(folder, 'clone-'));
  for (const name of ['package.json', 'package-lock.json', 'registry.json', 'tsconfig.json', 'templates', 'recipes'])
    cpSync(join(root, name), join(at, name), { recursive: true, filter: (path) => !path.includes('node_modules') });
  for (const group of ['packages', 'plugins'])
    for (const name of readdirSync(join(root, group)))
      if (existsSync(join(root, group, name, 'package.json')))
        cpSync(join(root, group, name, 'package.json'), join(at, group, name, 'package.json'), { recursive: true });
  mkdirSync(join(at, 'node_modules/@tweedie'), { recursive: true });
  const names = readdirSync(join(root, 'node_modules')).filter((name) => name !== '@tweedie' && !name.startsWith('.'));
  for (const name of [...names, ...readdirSync(join(root, 'node_modules/@tweedie')).map((own) => `@tweedie/${own}`)])
    if (existsSync(join(root, 'node_modules', name)))
      symlinkSync(realpathSync(join(root, 'node_modules', name)), join(at, 'node_modules', name), 'junction');
  mkdirSync(join(at, 'bin'));
  writeFileSync(join(at, 'bin/npx'), npx);
  chmodSync(join(at, 'bin/npx'), 0o755);
  for (const name of ['my', 'mine']) writeFileSync(join(at, `${name}.yaml`), recipe);
  writeFileSync(join(at, 'mine.mixture.yaml'), patches);
  writeFileSync(join(at, 'mine.train.yaml'), training);
  const picture = join(root, 'plugins/dataset-photographs/pictures/fig.png');
  for (const place of ['scans', 'masks']) mkdirSync(join(at, place));
  for (const name of ['photo.jpg', 'photo.png', 'small.png', 'blurred.png', 'noisy.jpg', 'scans/one.png'])
    copyFileSync(picture, join(at, name));
  // Black below the middle, a point of light that became nine, and a ramp.
  const drawn = async (path: string, side: number, value: (row: number, column: number) => number): Promise<void> => {
    const pixels = Float32Array.from({ length: side * side }, (_, i) => value(Math.floor(i / side), i % side));
    writeFileSync(join(at, path), await encodePng(pixels, [side, side, 1]));
  };
  for (const path of ['holes.png', 'masks/one.png']) await drawn(path, 64, (row) => (row < 32 ? 1 : -1));
  await drawn('psf.png', 5, (row, column) => (Math.max(Math.abs(row - 2), Math.abs(column - 2)) < 2 ? 0.5 : -1));
  await drawn('grey.png', 64, (_, column) => column / 32 - 1);
  const shown = readFileSync(join(root, page), 'utf8').matchAll(
    /^`((?:pull\/)?[\w/-]+\.(?:json|ts|yaml))`[^\n]*\n\n```\w+\n([\s\S]*?)```/gm,
  );
  for (const [, name = '', content = ''] of shown) {
    mkdirSync(dirname(join(at, name)), { recursive: true });
    if (name !== 'tsconfig.json') writeFileSync(join(at, name), content);
  }
  // The registry that the page shows has this line, beside the clone's own.
  const registry = join(at, 'registry.json');
  if (existsSync(join(at, 'pull')))
    writeFileSync(
      registry,
      readFileSync(registry, 'utf8').replace(
        '"guidance/posterior"',
        '"guidance/pull": "./pull",\n    "guidance/posterior"',
      ),
    );
  return at;
}

const sh = (at: string, script: string) =>
  spawnSync('sh', ['-c', script], {
    cwd: at,
    encoding: 'utf8',
    env: {
      ...Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith('TWEEDIE_'))),
      PATH: `${join(at, 'bin')}:${process.env['PATH']}`,
      TMPDIR: folder,
      npm_config_offline: 'true',
      TWEEDIE_CACHE: join(folder, 'cache'),
    },
  });

/** What stands before a page's first command, where its reader has done something that no page says. */
const before: Readonly<Record<string, readonly string[]>> = {
  'README.md': ['npx tweedie compare my.yaml --out runs/quickstart-1a2b3c4d', THEIRS],
  'docs/many-machines.md': ['1', '2'].map((shard) => `npx tweedie compare my.yaml --out runs/mine --shard ${shard}/4`),
  'docs/write-a-plugin.md': [THEIRS],
  'packages/experiments/README.md': ['npx tweedie compare my.yaml --out runs/small'],
};

const asked = [...commands].flatMap(([page, all]) => {
  const own = all.filter((command) => !(command in excused) && (whole || !long.some((one) => one.test(command))));
  // A page that gives a command twice has it run once.
  const once = [...new Set(own)];
  return once.length === 0 ? [] : [[page, once] as const];
});

it.each(asked)('%s: its commands run', async (page, own) => {
  const at = await clone(page);
  const lines = [...(before[page] ?? []), ...own];
  // Each line is named before it runs, so that the last one named is the one that failed.
  const named = lines.map((line) => `printf '%s\\n' '>>> ${line.replaceAll("'", "'\\''")}' >&2\n${line}`);
  const { status, stdout, stderr } = sh(at, `set -e\n${named.join('\n')}\n`);
  const [last = ''] = stderr.split('>>> ').slice(-1);
  expect(status, `${page}: ${last}\n${stdout.slice(-2000)}`).toBe(0);
});

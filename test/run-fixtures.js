// npm run test:fixtures [-- name ...] Runs exactly the tests that read fixtures (`<what>.<name>.fixtures.test.ts`), all
// of them or those of the folders named, on test/fixtures or on the folder that TWEEDIE_FIXTURES names.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const folders = [
  'network',
  'network-formats',
  'checkpoints',
  'schedules',
  'operators',
  'metrics',
  'statistics',
  'methods',
];
const root = fileURLToPath(new URL('..', import.meta.url));

const refuse = (message) => {
  console.error(message);
  process.exit(2);
};

const names = process.argv.slice(2);
const unknown = names.filter((name) => !folders.includes(name));
if (unknown.length > 0) refuse(`Unknown fixtures ${unknown.join(', ')}. There are: ${folders.join(', ')}.`);

// The folder is relative to where npm was started.
const chosen = process.env.TWEEDIE_FIXTURES && resolve(process.env.INIT_CWD ?? '.', process.env.TWEEDIE_FIXTURES);
if (chosen && !existsSync(chosen)) refuse(`TWEEDIE_FIXTURES names ${chosen}, which does not exist.`);

const testFolders = ['packages', 'plugins'].flatMap((group) =>
  existsSync(join(root, group)) ? readdirSync(join(root, group)).map((member) => join(group, member, 'test')) : [],
);
const files = [...testFolders, 'test']
  .filter((folder) => existsSync(join(root, folder)))
  .flatMap((folder) => readdirSync(join(root, folder)).map((file) => join(folder, file)));

const wanted = names.length > 0 ? names : folders;
const tests = wanted.flatMap((name) => {
  const found = files.filter((file) => file.endsWith(`.${name}.fixtures.test.ts`));
  if (found.length === 0) console.log(`fixtures ${name}: no test reads them yet`);
  return found;
});
if (tests.length === 0) process.exit(0);

const vitest = fileURLToPath(new URL('vitest.mjs', import.meta.resolve('vitest/package.json')));
const { status } = spawnSync(process.execPath, [vitest, 'run', '--config', 'test/vitest.config.ts', ...tests], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, ...(chosen ? { TWEEDIE_FIXTURES: chosen } : {}) },
});
process.exit(status ?? 1);

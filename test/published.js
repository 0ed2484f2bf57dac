// npm run test:published [-- --node 22] Installs what `npm run build` makes from a registry on loopback into an empty
// folder, as its users do, and works there: the quickstart, a plugin of one's own, its tests, a comparison with it.
import { execFile, execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startRegistry } from './registry.js';

/** Megabytes that the whole of `npm install tweedie` may take on Linux. */
const MOST_MEGABYTES = 450;

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tweedie-published-')));
const [, nodeVersion] = /--node[= ](\S+)/.exec(process.argv.slice(2).join(' ')) ?? [];
const run = promisify(execFile);
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));
const upstream = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();
const registry = await startRegistry(upstream);

/** The environment of a user who has nothing of the repository: neither its settings nor npm's variables. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|TWEEDIE_|VITEST|INIT_CWD)/i.test(name)),
);
Object.assign(env, { npm_config_registry: registry.origin, npm_config_audit: 'false', npm_config_fund: 'false' });

let failures = 0;
const started = performance.now();
const tell = (state, what) =>
  console.log(`${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s  ${state} ${what}`);
/** Runs one command and gives what it printed; its words are shown where it fails. */
const command = async (cwd, line) => {
  const [program, ...argv] = line.split(' ');
  try {
    const { stdout, stderr } = await run(program, argv, { cwd, env, maxBuffer: 1e9 });
    tell('ok    ', line);
    return { out: stdout, err: stderr };
  } catch (error) {
    failures += 1;
    tell('failed', line);
    console.log(`${error.stdout ?? ''}\n${error.stderr ?? error}`);
    return { out: '', err: String(error.stderr ?? error) };
  }
};
const check = (holds, what) => {
  if (!holds) failures += 1;
  tell(holds ? 'ok    ' : 'failed', what);
};
const rowsOf = ({ out }) => (out === '' ? [] : JSON.parse(out).rows.map(({ label }) => label));

/** The staged packages; of ONNX Runtime's only that of this machine, for each is tens of megabytes. */
const staged = () =>
  [
    ...['packages', 'plugins'].flatMap((group) =>
      readdirSync(join(root, group)).map((name) => join(root, group, name, '.publish')),
    ),
    join(root, '.publish', `onnxruntime-${process.platform}-${process.arch}`),
  ].filter((path) => existsSync(join(path, 'package.json')));

const publishAll = async () => {
  const packages = staged();
  const packed = join(folder, 'packed');
  mkdirSync(packed);
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', packed, ...packages], {
    env,
    maxBuffer: 1e9,
  });
  const unwanted = [];
  for (const { name, filename, files } of JSON.parse(stdout)) {
    const own = packages.map((path) => readJson(join(path, 'package.json'))).find((one) => one.name === name);
    registry.publish(own, readFileSync(join(packed, filename)));
    const paths = files.map(({ path }) => path);
    for (const needed of ['LICENSE', 'README.md', 'package.json'])
      if (!paths.includes(needed)) unwanted.push(`${name} lacks ${needed}`);
    if (!name.includes('/onnxruntime') && name !== 'tweedie' && !paths.includes('dist/index.d.ts'))
      unwanted.push(`${name} lacks types`);
    for (const path of paths)
      if (/^(src|test|measure)\/|\.test\./.test(path) && !path.startsWith('templates/'))
        unwanted.push(`${name} has ${path}`);
  }
  check(
    unwanted.length === 0,
    `${packages.length} packages are packed whole${unwanted.map((line) => `\n  ${line}`).join('')}`,
  );
};

const megabytes = (path) => Number(execFileSync('du', ['-sk', path], { encoding: 'utf8' }).split('\t')[0]) / 1024;

/** What the parts of an installation weigh, the heaviest first. */
const weights = (modules) =>
  readdirSync(modules)
    .flatMap((name) =>
      name.startsWith('@') ? readdirSync(join(modules, name)).map((inner) => `${name}/${inner}`) : [name],
    )
    .map((name) => [name, megabytes(join(modules, name))])
    .sort(([, a], [, b]) => b - a);

const useNode = async (version) => {
  const place = join(folder, 'node');
  const name = `node-${process.platform}-${process.arch}`;
  await run('npm', ['install', '--prefix', place, '--ignore-scripts', `${name}@${version}`], { env });
  env.PATH = [join(place, 'node_modules', name, 'bin'), env.PATH].join(delimiter);
};

/**
 * Does what a page says, from its first line to its last: commands, files under their names, and changes, each in the
 * file of the package that has the lines to be taken out. Gives the package's folder, and what commands printed.
 */
const follow = async (page, from) => {
  const text = readFileSync(join(root, page), 'utf8');
  const outputs = new Map();
  let at = from;
  for (const [, name, language, block] of text.matchAll(/(?:^`([\w.-]+)`\n\n)?^```(\w*)\n([\s\S]*?)^```/gm)) {
    const lines = block.trimEnd().split('\n');
    if (language === 'diff') {
      const side = (sign) =>
        lines
          .filter((line) => line.startsWith(sign))
          .map((line) => line.slice(1))
          .join('\n');
      const file = ['src/index.ts', 'test/conformance.test.ts'].find((path) =>
        readFileSync(join(at, path), 'utf8').includes(side('-')),
      );
      check(file !== undefined, `a file has the line${side('-').replace(/\s+/g, ' ')}`);
      if (file !== undefined)
        writeFileSync(
          join(at, file),
          readFileSync(join(at, file), 'utf8').replace(side('-'), () => side('+')),
        );
    } else if (name !== undefined) writeFileSync(join(at, name), block);
    else
      for (const line of lines) {
        const [, folder, rest] = /^(?:cd (\S+) && )?(.*?)(?:\s+#.*)?$/.exec(line);
        if (folder !== undefined) at = join(at, folder);
        outputs.set(rest, (await command(at, rest)).out);
      }
  }
  return { own: at, outputs };
};

try {
  await publishAll();
  if (nodeVersion !== undefined) await useNode(nodeVersion);
  const work = join(folder, 'work');
  mkdirSync(work);
  writeFileSync(join(work, 'package.json'), '{ "private": true }\n');
  tell('ok    ', `Node ${(await run('node', ['--version'], { env })).stdout.trim()}, in the empty folder ${work}`);

  // The page below asks for it once more, which finds it there.
  await command(work, 'npm install tweedie');
  const modules = join(work, 'node_modules');
  const whole = megabytes(modules);
  check(whole <= MOST_MEGABYTES, `${whole.toFixed(0)} MB are installed, at most ${MOST_MEGABYTES}`);
  for (const [name, weight] of weights(modules).slice(0, 8))
    console.log(`         ${weight.toFixed(0).padStart(4)} MB  ${name}`);

  await command(work, 'npx tweedie doctor');
  const list = await command(work, 'npx tweedie list --json');
  const count = Object.keys(readJson(join(root, 'registry.json')).plugins).length;
  const found = list.out === '' ? 0 : JSON.parse(list.out).length;
  check(found === count && list.err === '', `${found} of ${count} plugins of the registry are there`);
  const quick = 'npx tweedie compare node_modules/tweedie/recipes/quickstart.yaml --limit 1 --steps 5 --json';
  const labels = new Set(rowsOf(await command(work, quick)));
  check(
    ['no guidance', 'DPS-w, published', 'exact score'].every((label) => labels.has(label)),
    `the quickstart has the rows ${[...labels].join('; ')}`,
  );

  const { own, outputs } = await follow('docs/first-method.md', work);
  check(/my-method, inpaint, sigmaY 0\.5 /.test(outputs.get('npx tweedie tune race.yaml')), 'it is tuned as DPS is');
  const raced = outputs.get('npx tweedie compare race.tuned.yaml') ?? '';
  check(
    ['my-method tuned', 'dps tuned', 'dps-w tuned', 'exact'].every((label) => raced.includes(`\n  ${label} `)),
    'it is raced against DPS and DPS-w',
  );
  const sheet = outputs.get('npx tweedie check . --sheet --out my-method.html') ?? '';
  check(sheet.includes('this method') && !sheet.includes('failed  '), 'it is certified');
  const checked = await command(own, 'npx tweedie check . --json');
  check(checked.out.includes('"tests"') && !checked.out.includes('"failed"'), 'it is checked');
  const rows = rowsOf(await command(own, 'npx tweedie compare my-method.yaml --limit 1 --steps 10 --json'));
  check(
    rows.includes('my-method') && rows.includes('exact'),
    `a comparison has the rows ${[...new Set(rows)].join(', ')}`,
  );
  const { out } = await command(own, 'npm pack --dry-run --json');
  const files = out === '' ? [] : JSON.parse(out.slice(out.indexOf('[\n')))[0].files.map(({ path }) => path);
  check(
    ['dist/index.js', 'dist/index.d.ts', 'plugin.json', 'LICENSE'].every((path) => files.includes(path)),
    'it can be published',
  );

  // What `tweedie check` says it needs where it lacks it.
  await command(work, 'npm install --save-dev typescript vitest @types/node @tweedie/testing');
  for (const kind of ['operator', 'scheduler', 'model', 'metric', 'dataset', 'engine']) {
    await command(work, `npx tweedie new ${kind} my-thing`);
    const { out: checked } = await command(work, `npx tweedie check ./${kind}-my-thing --json`);
    check(checked.includes('"tests"') && !checked.includes('"failed"'), `it is a ${kind}`);
  }

  await command(work, 'npx tweedie plugins add ./guidance-my-method');
  const listed = await command(work, 'npx tweedie plugins list');
  check(/guidance\/my-method +\.\/guidance-my-method/.test(listed.out), 'it is a plugin of the folder above');
  const cited = await command(work, 'npx tweedie cite node_modules/tweedie/recipes/quickstart.yaml');
  check(cited.out.includes('@inproceedings{chung2023diffusion,'), 'the quickstart is cited');
} finally {
  registry.close();
  rmSync(folder, { recursive: true, force: true });
}
console.log(failures === 0 ? 'All works as it is published.' : `${failures} failed.`);
process.exit(failures === 0 ? 0 : 1);

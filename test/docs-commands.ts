/** Which commands of the pages their test does not run, and why. */

/** Why a command is not run here: in words, or the file that runs it, with text that stands there. */
export type Excuse = string | { readonly why: string; readonly file: string; readonly text: string };

const rehearsal = (text: string): Excuse => ({
  why: 'the rehearsal of a release runs it',
  file: 'test/published.js',
  text,
});
const thisSuite = 'it is, or is a part of, what runs this test';
const name = 'it is named there, not given to be run: it lacks its arguments';
const minutes = 'it takes minutes';
const fetchTest: Excuse = {
  why: 'it downloads; packages of the same form from a server on loopback are fetched',
  file: 'packages/cli/test/fetch.test.ts',
  text: "'fetch'",
};
const queue: Excuse = {
  why: 'it needs a Redis that stays; servers on loopback and what works on them',
  file: 'packages/queue/test/servers.ts',
  text: 'redis-server',
};
const slurm: Excuse = { why: 'it needs Slurm', file: 'test/slurm.sh', text: 'sbatch' };
const checkpoint = (text: string): Excuse => ({
  why: 'it needs a file of gigabytes; files of the same form',
  file: 'packages/cli/test/checkpoint.test.ts',
  text,
});
const release = 'it makes a release; rehearsed in a scratch clone, as the page says';
const tensorflow = 'it installs TensorFlow; tests of the engine run where that is there';
const pictures: Excuse = {
  why: 'it rewrites pictures of the repository; one is drawn',
  file: 'packages/experiments/test/operator-picture.test.ts',
  text: 'operatorPicture',
};

export const excused: Readonly<Record<string, Excuse>> = {
  'npm ci && npm start': rehearsal('recipes/quickstart.yaml'),
  'npm ci && npm test': thisSuite,
  'npm ci': thisSuite,
  'npm test': thisSuite,
  'npm run check': thisSuite,
  'npm run format': 'it rewrites the repository; npm test asks whether it would change anything',
  'npm run docs': 'it makes the site in minutes; what it is made of is checked in test/docs.test.ts',
  'npm run docs:pictures': pictures,
  'npm run docs:kernels': {
    why: 'it rewrites a page, whose test asks whether it would change',
    file: 'packages/jit/test/kernels.test.ts',
    text: 'docs/jit-kernels.md',
  },
  'npm run campaign': {
    why: 'it takes minutes',
    file: 'packages/queue/test/campaign.test.ts',
    text: 'TWEEDIE_CAMPAIGN',
  },
  'npm run build': {
    why: 'the rehearsal of a release runs it',
    file: 'package.json',
    text: 'node scripts/build.js && node test/published.js',
  },
  'npm run test:published': { why: 'it takes minutes; CI runs it', file: '.ci/run', text: 'test:published' },
  'npm run test:fixtures': thisSuite,
  'npm run test:fixtures -- methods': thisSuite,
  'npm run test:fixtures -- methods operators': thisSuite,
  'npx vitest run --config test/vitest.config.ts plugins/guidance-dps': thisSuite,
  'npx vitest run --config test/vitest.config.ts packages/core/test/levels.test.ts': thisSuite,
  "npx vitest run --config test/vitest.config.ts packages/core -t 'respaced'": thisSuite,
  'npx vitest run --config test/vitest.config.ts packages/cli': thisSuite,
  'npx vitest run --config test/vitest.config.ts packages/core': thisSuite,
  'npx vitest run --config test/vitest.config.ts packages/experiments': thisSuite,
  'npx vitest run --config test/vitest.config.ts packages/queue': thisSuite,
  'npx vitest run --config test/vitest.config.ts test/gaussian-propagation.test.ts': thisSuite,
  'npm install tweedie': rehearsal('npm install tweedie'),
  'npm install --ignore-scripts tweedie': rehearsal('npm install tweedie'),
  'npm install': rehearsal("follow('docs/first-method.md', work)"),
  'npm pack': rehearsal('npm pack'),
  'npm publish': release,
  'cd guidance-my-method && npm install --ignore-scripts': rehearsal("follow('docs/first-method.md', work)"),
  'npx tweedie tune race.yaml': rehearsal('npx tweedie tune race.yaml'),
  'npx tweedie compare race.tuned.yaml': rehearsal('npx tweedie compare race.tuned.yaml'),
  'npx tweedie check . --sheet --out my-method.html': rehearsal('npx tweedie check . --sheet --out my-method.html'),
  'npx tweedie plugins add tweedie-guidance-my-method':
    'it needs what the page before it publishes; a package that is installed is added by README.md',
  'npx tweedie compare my-method.yaml': rehearsal('npx tweedie compare my-method.yaml'),
  'npx tweedie compare node_modules/tweedie/recipes/quickstart.yaml': rehearsal(
    'node_modules/tweedie/recipes/quickstart.yaml',
  ),
  'npx lerna@9 version --conventional-commits --exact': release,
  'npx lerna@9 publish from-package --contents .publish': release,
  'for p in .publish/*; do npm publish "$p"; done': release,

  'npx tweedie': name,
  'npx tweedie new': name,
  'npx tweedie explain': name,
  'npx tweedie fit mixture': name,
  'npx tweedie run script.ts': {
    why: 'it runs a script of the reader',
    file: 'packages/cli/test/local-registry.test.ts',
    text: "'script.ts'",
  },
  'npx tweedie run example.ts': {
    why: 'its script is on the page',
    file: 'test/docs.test.ts',
    text: 'run example\\.ts',
  },
  'node example.ts': 'it needs a Node that strips types, which the page says',
  'npx tsx example.ts': 'it needs tsx, which the page says',
  'node --conditions=@tweedie/source --import tsx example.mjs': {
    why: 'its script is on the page',
    file: 'test/docs.test.ts',
    text: '--conditions=@tweedie/source',
  },

  'npx tweedie compare recipes/quickstart.yaml': rehearsal('recipes/quickstart.yaml'),
  'npx tweedie compare recipes/quickstart.yaml --workers 4': {
    why: minutes,
    file: 'packages/experiments/test/workers.test.ts',
    text: 'workers',
  },
  'npx tweedie compare recipes/emoji.yaml': minutes,
  'npx tweedie compare recipes/mixture.yaml': minutes,
  'npx tweedie compare recipes/gmm25.yaml': minutes,
  'npx tweedie compare recipes/restore-defaults.yaml': 'it takes an hour',
  'npx tweedie tune recipes/methods.yaml': {
    why: minutes,
    file: 'packages/experiments/test/tune.test.ts',
    text: 'tune(',
  },
  'npx tweedie compare recipes/methods.tuned.yaml': 'it takes minutes, after what makes its recipe',
  'npx tweedie explain recipes/quickstart.yaml': minutes,
  'npx tweedie explain recipes/emoji.yaml': minutes,
  'npx tweedie explain recipes/emoji.yaml --steps 50 --samples 4 --limit 1': {
    why: minutes,
    file: 'packages/cli/test/explain.test.ts',
    text: "'explain'",
  },
  'npx tweedie bench overhead --size medium --repeats 12': minutes,
  'npx tweedie bench mixture': { why: minutes, file: 'packages/cli/test/bench.test.ts', text: 'bench' },
  'npx tweedie train plugins/model-photo/photographs.train.yaml': 'it takes days',
  'npx tweedie fit mixture plugins/model-patches/grey.mixture.yaml':
    'it takes minutes, and photographs that are fetched',
  'npx tweedie fit mixture plugins/model-patches/colour.mixture.yaml':
    'it takes minutes, and photographs that are fetched',
  'npx tweedie restore photo.png --model trained:weights=runs/train/mine/weights.safetensors --operator identity --sigma-y 0.1':
    { why: 'it needs a training', file: 'packages/training/test/train.test.ts', text: 'weights.safetensors' },

  'npx tweedie fetch photographs': fetchTest,
  'npx tweedie fetch dataset/photographs': fetchTest,
  'npx tweedie fetch photographs --from mate-backgrounds_1.26.0-1_all.deb --from folder-with-more': fetchTest,
  'npx tweedie fetch photographs --from /': fetchTest,
  'npx tweedie checkpoint get edm-ffhq-64-vp': checkpoint("'get'"),
  'npx tweedie checkpoint get ffhq-256 --from ~/Downloads/ffhq_10m.pt': checkpoint("'--from'"),
  'npx tweedie checkpoint inspect ffhq_10m.pt': checkpoint("'inspect'"),
  'npx tweedie checkpoint convert edm-ffhq-64x64-uncond-vp.pkl --out edm.safetensors': checkpoint("'convert'"),
  'npx tweedie checkpoint convert ffhq_10m.pt --out ffhq.safetensors --half': checkpoint("'--half'"),
  'npx tweedie plan recipes/ffhq.yaml': checkpoint('download ffhq_10m.pt there'),
  'npx tweedie restore small.png --model ffhq-256 --operator super-resolution:factor=4 --sigma-y 0.05':
    'it needs a file of gigabytes',

  'npx tweedie work redis://lab': queue,
  'npx tweedie work': queue,
  'npx tweedie status': queue,
  'npx tweedie cancel 7654c6': queue,
  'npx tweedie compare recipes/quickstart.yaml --limit 2 --steps 10 --queue $TWEEDIE_QUEUE --store http://127.0.0.1:7412':
    queue,
  'npx tweedie bench queue --queue redis://127.0.0.1:6379 --chunks 1000,10000': queue,
  'npx tweedie bench queue --queue redis://127.0.0.1:6379 --workers 1000': queue,
  'npx tweedie doctor --store s3://bucket/prefix': {
    why: 'it needs a bucket; one on loopback',
    file: 'packages/queue/test/stores.test.ts',
    text: 's3',
  },
  'apt-get install redis-server': 'it installs',
  'export TWEEDIE_QUEUE_PASSWORD=one-of-yours': queue,
  'redis-server --port 7411 --appendonly yes --requirepass "$TWEEDIE_QUEUE_PASSWORD" --daemonize yes': queue,
  'export TWEEDIE_QUEUE=redis://127.0.0.1:7411 TWEEDIE_QUEUE_PASSWORD=one-of-yours': queue,
  'job=$(sbatch --parsable my.sbatch)': slurm,
  'sbatch --dependency=afterany:$job my.merge.sbatch': slurm,

  'ONNXRUNTIME_NODE_INSTALL=cuda12 npm explore onnxruntime-node -- node script/install.js':
    'it downloads CUDA, for an NVIDIA GPU',
  'npm install onnxruntime-node@1.30.0': 'it installs, for an NVIDIA GPU',
  'npm install --no-save @tensorflow/tfjs-node@4.22.0': tensorflow,
  'npm install --no-save @tensorflow/tfjs-node-gpu@4.22.0': tensorflow,
  'sh plugins/engine-tensorflow/link-tensorflow.sh python3': tensorflow,
  'sh plugins/engine-tensorflow/link-tensorflow.sh ~/tensorflow/bin/python': tensorflow,
  'python3 -m venv ~/tensorflow': tensorflow,
  '~/tensorflow/bin/pip install tensorflow-cpu': tensorflow,

  'npx tweedie check guidance/dps --sheet': {
    why: 'it takes long; another method',
    file: 'packages/cli/test/check.test.ts',
    text: "'--out', 'sheet.html'",
  },
  'npx tsc -p .': { why: 'with the files of its page', file: 'test/docs.test.ts', text: "typescript/bin/tsc'), '-p'" },
  'npx tweedie check ./every-column.ts': {
    why: 'with the files of its page',
    file: 'test/docs.test.ts',
    text: './every-column.ts',
  },
  'npx tweedie compare columns.yaml': {
    why: 'with the files of its page',
    file: 'test/docs.test.ts',
    text: 'columns.yaml',
  },
  'npx tweedie compare mine.yaml': { why: 'with the files of its page', file: 'test/docs.test.ts', text: 'mine.yaml' },
  'npx tweedie check guidance/pull': {
    why: 'with the files of its page',
    file: 'packages/cli/test/check.test.ts',
    text: "check('guidance/pull')",
  },
  'npx tweedie check guidance/pull --sheet --out pull.html': {
    why: 'with the files of its page',
    file: 'packages/cli/test/check.test.ts',
    text: "'--out', 'sheet.html'",
  },
};

/** What runs with TWEEDIE_FULL=1 alone, as in CI: networks are compiled, or a plugin's kit is asked. */
export const long: readonly RegExp[] = [
  /^npx tweedie (train|doctor)/,
  /^npx tweedie restore (scans|photo.png|small|blurred|grey|noisy|photo.jpg --)/,
  /^npx tweedie check metric/,
];

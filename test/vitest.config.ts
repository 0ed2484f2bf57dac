import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestModule, type TestSpecification } from 'vitest/node';

// Every package is read from its TypeScript source: nothing is built before the tests, so no stale build can pass them.
const conditions = ['@tweedie/source', 'module', 'node', 'development|production'];

/**
 * The temporary folder of all tests and of what they start, which goes with them. Only this user writes there, so
 * commands may keep in it what they have translated, which saves a quarter of each start. Others go through it:
 * PostgreSQL runs as a user of its own where root runs the tests.
 */
const temporary = mkdtempSync(join(tmpdir(), 'tweedie-tests-'));
chmodSync(temporary, 0o711);
process.on('exit', () => rmSync(temporary, { recursive: true, force: true }));

/**
 * The memory of their process counts: other tests would leave room for a leak in it, or tensors that a plan takes for
 * weights.
 */
const alone = ['packages/jit/test/memory.test.ts', 'packages/queue/test/refusals.test.ts'];

/** What takes longest starts first, so that both workers end together. */
const longest = [
  'test/umbrella.methods',
  'test/posterior.',
  'packages/networks/test/adm-unet.network',
  'packages/cli/test/',
  'test/docs',
  'test/gmm25.',
  'test/distribution.',
  'test/mse-ratio.',
  'plugins/model-ddpm-',
  'packages/queue/test/queue',
  'packages/queue/test/kill',
  'packages/experiments/test/kill',
  'test/any-size',
  'test/restore-photographs',
];

class LongestFirst extends BaseSequencer {
  override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const found = longest.findIndex((start) => moduleId.includes(`/${start}`));
      return found < 0 ? longest.length : found;
    };
    return (await super.sort(specifications)).sort((a, b) => place(a) - place(b));
  }
}

const shortened: readonly (readonly [what: string, files: readonly string[]])[] = [
  ['180 of the 200 levels of DAPS', ['test/schedulers.test.ts', 'packages/cli/test/compare.network.fixtures.test.ts']],
  ['commands of the pages that compile networks or check plugins', ['test/docs-commands.test.ts']],
];
const leftOut = {
  onTestRunEnd(modules: readonly TestModule[]) {
    const whole = process.env['TWEEDIE_FULL'] === '1';
    const ran = shortened.filter(([, files]) => modules.some((one) => files.includes(one.relativeModuleId)));
    if (whole || ran.length === 0) return;
    const parts = ran.map(([what, files]) => `${what} in ${files.join(' and ')}`).join('; ');
    console.log(`Left out: ${parts}; TWEEDIE_FULL=1 runs them, as .ci/run does.`);
  },
};

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ['@tweedie/source', 'node'] } },
  test: {
    // ONNX Runtime sessions are safe in processes, not in worker threads.
    pool: 'forks',
    maxWorkers: 2,
    env: {
      // Child processes that draw cells find Tweedie as those of the command do.
      TWEEDIE_LOADER: new URL('../packages/cli/bin/loader.js', import.meta.url).href,
      TMPDIR: temporary,
      TSX_DISABLE_CACHE: process.env['TSX_DISABLE_CACHE'] ?? '',
    },
    testTimeout: 300_000,
    hookTimeout: 300_000,
    sequence: { sequencer: LongestFirst },
    reporters: ['default', leftOut],
    projects: [
      {
        extends: true,
        test: {
          name: 'shared',
          include: ['{packages,plugins,templates}/*/test/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: alone,
          // A worker imports TensorFlow.js and ONNX Runtime once, not once a file.
          isolate: false,
        },
      },
      { extends: true, test: { name: 'alone', include: alone } },
    ],
  },
});

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestModule } from 'vitest/node';
import { built } from '../home.ts';
import { folded, needing, onOneLine, type Outcome } from './outcome.ts';

/** The test files of a plugin, relative to its folder. */
export const testsOf = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (path) => /\.test\.m?[jt]s$/.test(path) && !/(^|[\\/])(node_modules|dist)[\\/]/.test(path),
  );

// In the repository every package is read from source, as bin/tweedie.js does.
const own = built ? [] : ['@tweedie/source'];
const conditions = [...own, 'module', 'node', 'development|production'];

/** Runs the tests of a plugin, also where no package is installed beside it. */
export const runTests = async (
  folder: string,
  files: readonly string[],
  signal: AbortSignal,
): Promise<readonly Outcome[]> => {
  const { startVitest } = await needing(() => import('vitest/node'));
  const paths = files.map((file) => join(folder, file));
  const vitest = await startVitest(
    'test',
    paths,
    {
      config: false,
      root: folder,
      watch: false,
      reporters: [{}],
      // ONNX Runtime sessions are safe in processes, not in worker threads.
      pool: 'forks',
      maxWorkers: 1,
      isolate: false,
      testTimeout: 300_000,
      hookTimeout: 300_000,
      include: [...files],
      // The kit, installed, imports the plugin: the test runner's own loader must see both, for it reads TypeScript.
      server: { deps: { inline: [/[\\/]@tweedie[\\/]/] } },
    },
    {
      resolve: { conditions },
      ssr: { resolve: { conditions, externalConditions: [...own, 'node'] } },
      plugins: [foundBesideTweedie],
    },
  );
  const stop = (): void => void vitest.cancelCurrentRun('keyboard-input');
  signal.addEventListener('abort', stop);
  try {
    return outcomesOf(vitest.state.getTestModules());
  } finally {
    signal.removeEventListener('abort', stop);
    await vitest.close();
  }
};

/** Finds Tweedie's packages, and the test runner, from here where the plugin's folder has none. */
const foundBesideTweedie = {
  name: 'tweedie',
  enforce: 'pre' as const,
  async resolveId(
    this: { resolve(source: string, importer?: string, options?: object): Promise<{ readonly id: string } | null> },
    source: string,
    importer: string | undefined,
  ) {
    if (!/^(@tweedie\/|vitest(\/|$))/.test(source)) return null;
    const options = { skipSelf: true };
    return (
      (await this.resolve(source, importer, options)) ?? (await this.resolve(source, import.meta.filename, options))
    );
  },
};

const outcomesOf = (modules: readonly TestModule[]): readonly Outcome[] => {
  const failed = (name: string, message = 'failed') => ({ name, says: onOneLine(message) });
  const tests = modules.flatMap((module) => [...module.children.allTests()]);
  const failures = modules.flatMap((module) => [
    ...module.errors().map(({ message }) => failed(module.relativeModuleId, message)),
    ...[...module.children.allSuites()].flatMap((suite) =>
      suite.errors().map(({ message }) => failed(`${module.relativeModuleId}, ${suite.fullName}`, message)),
    ),
    ...[...module.children.allTests('failed')].map((test) =>
      failed(`${module.relativeModuleId}, ${test.fullName}`, test.result().errors?.[0]?.message),
    ),
  ]);
  const passed = tests.filter((test) => test.result().state === 'passed').length;
  const files = `${modules.length} ${modules.length === 1 ? 'file' : 'files'}`;
  const state = failures.length === 0 && tests.length > 0 ? 'ok' : 'failed';
  return [...folded(failures), { name: 'tests', state, says: `${passed} of ${tests.length} passed, in ${files}` }];
};

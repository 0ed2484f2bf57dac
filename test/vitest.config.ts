import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// Every package is read from its TypeScript source: nothing is built before the tests, so no stale build can pass them.
const conditions = ['@tweedie/source', 'module', 'node', 'development|production'];

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ['@tweedie/source', 'node'] } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'plugins/*/test/**/*.test.ts', 'templates/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    // ONNX Runtime sessions are safe in processes, not in worker threads.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});

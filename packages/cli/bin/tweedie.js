#!/usr/bin/env node
// Runs the TypeScript source in this very process: there is no build that could be stale, and no second process between
// Ctrl-C and the run.
import { register } from 'node:module';

// The loader would keep what it has translated in a folder of the system's temporary one, which any user may have made
// before, and run what it finds there. Translating anew costs 0.2 s.
process.env.TSX_DISABLE_CACHE = '1';

try {
  process.cwd();
} catch {
  console.error('Error: the working folder does not exist any more. Change to another one and run the command again.');
  process.exit(2);
}

const { register: registerTypeScript } = await import('tsx/esm/api');
registerTypeScript();
register('./source-condition.js', import.meta.url);

const { main } = await import('../src/main.ts');
process.exitCode = await main(process.argv.slice(2));

#!/usr/bin/env node
// Runs everything in this very process, so that none stands between Ctrl-C and the run: in the repository TypeScript
// sources, for there is no build that could be stale; in the published package what was built of them.
import { existsSync } from 'node:fs';
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
const source = existsSync(new URL('../src/main.ts', import.meta.url));
register('./source-condition.js', import.meta.url, { data: { source } });

const { main } = await import(source ? '../src/main.ts' : '../dist/main.js');
process.exitCode = await main(process.argv.slice(2));

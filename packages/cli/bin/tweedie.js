#!/usr/bin/env node
// Runs everything in this very process, so that none stands between Ctrl-C and the run: in the repository TypeScript
// sources, for there is no build that could be stale; in the published package what was built of them. What computes
// for long does so in child processes, which this one ends.
try {
  process.cwd();
} catch {
  console.error('Error: the working folder does not exist any more. Change to another one and run the command again.');
  process.exit(2);
}

const { source } = await import('./loader.js');
const { main } = await import(source ? '../src/main.ts' : '../dist/main.js');
process.exitCode = await main(process.argv.slice(2));

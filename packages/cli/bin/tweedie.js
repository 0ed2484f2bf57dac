#!/usr/bin/env node
// Runs the command: in the repository TypeScript sources, for there is no build that could be stale; in the published
// package what was built of them. What resumes runs in a process of its own, so that this one always hears Ctrl-C.
try {
  process.cwd();
} catch {
  console.error('Error: the working folder does not exist any more. Change to another one and run the command again.');
  process.exit(2);
}

const isSupervised = process.env.TWEEDIE_SUPERVISOR === String(process.ppid);
if (['compare', 'tune'].includes(process.argv[2]) && !isSupervised) {
  const { supervise } = await import('./supervise.js');
  process.exit(await supervise());
}
const { source } = await import('./loader.js');
const { main } = await import(source ? '../src/main.ts' : '../dist/main.js');
process.exitCode = await main(process.argv.slice(2));

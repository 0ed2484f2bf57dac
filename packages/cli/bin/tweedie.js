#!/usr/bin/env node
// Runs the TypeScript source in this very process: there is no build that could be stale, and no second process between
// Ctrl-C and the run.
import { register } from 'node:module';
import { register as registerTypeScript } from 'tsx/esm/api';

registerTypeScript();
register('./source-condition.js', import.meta.url);

const { main } = await import('../src/main.ts');
process.exitCode = await main(process.argv.slice(2));

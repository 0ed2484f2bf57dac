// How a process finds what it runs: TypeScript as it is, and Tweedie's packages also where none is installed. The
// command imports this first, and so does every child process that it starts (`node --import`, by TWEEDIE_LOADER).
import { existsSync } from 'node:fs';
import { register } from 'node:module';

// The loader would keep what it has translated in a folder of the system's temporary one, which any user may have made
// before, and run what it finds there. Translating anew costs 0.2 s. Tests, whose temporary folder is their own, let it.
process.env.TSX_DISABLE_CACHE ??= '1';
process.env.TWEEDIE_LOADER = import.meta.url;

const { register: registerTypeScript } = await import('tsx/esm/api');
registerTypeScript();
export const source = existsSync(new URL('../src/main.ts', import.meta.url));
register('./source-condition.js', import.meta.url, { data: { source } });

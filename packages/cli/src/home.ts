import { join } from 'node:path';

/** Whether this is what was built for npm, and not the repository, where everything runs from source. */
export const built = !import.meta.url.endsWith('.ts');

/** The folder that holds `templates` and `tsconfig.json`: the repository's top, or this package, which has copies. */
export const home = join(import.meta.dirname, built ? '..' : '../../..');

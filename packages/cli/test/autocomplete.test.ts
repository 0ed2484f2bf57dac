import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { tweedie } from './start.ts';

const home = mkdtempSync(join(tmpdir(), 'tweedie-home-'));
afterAll(() => rmSync(home, { recursive: true }));

it('completes commands and flags in bash', async () => {
  const env = { HOME: home, XDG_CACHE_HOME: join(home, 'cache') };
  const { code } = await tweedie(['autocomplete', 'bash'], { env });
  expect(code).toBe(0);
  const script = join(home, 'cache/tweedie/autocomplete/functions/bash/tweedie.bash');
  const completed = (...words: readonly string[]): string =>
    execFileSync(
      'bash',
      [
        '-c',
        `source ${script}; COMP_WORDS=(tweedie ${words.join(' ')}); COMP_CWORD=${words.length}; _tweedie_autocomplete; echo "\${COMPREPLY[*]}"`,
      ],
      { encoding: 'utf8' },
    ).trim();
  expect(completed('expl')).toBe('explain');
  expect(completed('compare', '--lim')).toBe('--limit');
});

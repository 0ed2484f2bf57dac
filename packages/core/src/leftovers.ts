/** What a killed process leaves behind, and how the next one knows it. */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Whether a file or folder is left over from process `pid` of this machine. In a container the number of the dead
 * process may have come to this one, which has nothing that is older than itself.
 */
export const isLeftover = (path: string, pid: number): boolean => {
  if (pid === process.pid) {
    const changed = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity;
    return changed < Date.now() - 1000 * process.uptime();
  }
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
};

/** The machine's part of a folder's name: processes of other machines, which may share the folder, cannot be asked. */
const machine = (): string => hostname().replace(/[^\w.]/g, '_');

const sweep = (): void => {
  for (const name of readdirSync(tmpdir())) {
    const [, pid, where] = /^tweedie-[a-z]+-(\d+)-([\w.]+)-\w{6}$/.exec(name) ?? [];
    const path = join(tmpdir(), name);
    if (where === machine() && isLeftover(path, Number(pid))) rmSync(path, { recursive: true, force: true });
  }
};

/**
 * Makes a temporary folder, which the caller removes, and removes those that processes which are gone have left. Its
 * name says what it is for, whose it is and where.
 */
export const temporaryFolder = (purpose: string): string => {
  const folder = mkdtempSync(join(tmpdir(), `tweedie-${purpose}-${process.pid}-${machine()}-`));
  try {
    sweep();
  } catch {
    // A folder that cannot be listed, or what another user left: nobody here waits for it.
  }
  return folder;
};

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { isLeftover, temporaryFolder } from '../src/index.ts';

let own: string;
beforeEach(() => {
  own = mkdtempSync(join(tmpdir(), 'test-leftovers-'));
  vi.stubEnv('TMPDIR', own);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(own, { recursive: true });
});
/** The number of a process that has ended. */
const dead = (): number => spawnSync(process.execPath, ['--version']).pid;

it('a temporary folder says whose it is, and the next one removes those of processes that are gone', () => {
  const first = temporaryFolder('model');
  const [, pid, machine] = /^tweedie-model-(\d+)-([\w.]+)-\w{6}$/.exec(basename(first)) ?? [];
  expect(Number(pid)).toBe(process.pid);
  expect(machine).toBe(hostname().replace(/[^\w.]/g, '_'));
  const make = (name: string): string => {
    mkdirSync(join(own, name));
    writeFileSync(join(own, name, 'model.weights'), 'large');
    return join(own, name);
  };
  const gone = dead();
  const left = [`tweedie-model-${gone}-${machine}-aaaaaa`, `tweedie-results-${gone}-${machine}-bbbbbb`].map(make);
  const kept = [
    `tweedie-model-${process.ppid}-${machine}-cccccc`,
    `tweedie-model-${gone}-elsewhere-dddddd`,
    `other-model-${gone}-${machine}-eeeeee`,
    'tweedie-model-ffffff',
  ].map(make);
  temporaryFolder('profile');
  expect(left.filter((path) => existsSync(path))).toEqual([]);
  expect([first, ...kept].filter((path) => !existsSync(path))).toEqual([]);
});

it('what is older than the process of its number is left over', () => {
  const path = join(own, 'file');
  writeFileSync(path, '');
  expect(isLeftover(path, process.pid)).toBe(false);
  expect(isLeftover(path, process.ppid)).toBe(false);
  expect(isLeftover(path, dead())).toBe(true);
  utimesSync(path, 0, 0);
  expect(isLeftover(path, process.pid)).toBe(true);
});

/** Where the time of a call goes, by ONNX Runtime's own profile. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@tweedie/core';
import { createSession, type Feeds, type SessionSettings } from './session.ts';

/** The time of an operation as ONNX Runtime runs it, which may be fused with others or in another layout. */
type Timed = { readonly node: string; readonly op: string; readonly milliseconds: number };
export type Profile = {
  readonly operations: readonly Timed[];
  readonly milliseconds: number;
  readonly peakBytes: number | undefined;
};

/** How many calls are measured, after a first one that allocates memory and is not measured. */
const CALLS = 5;

/** The end of the names of entries that hold the time of an operation. */
const ENDING = '_kernel_time';

/** An entry of the profile; times are microseconds. */
type Entry = {
  readonly cat: string;
  readonly name: string;
  readonly dur: number;
  readonly ts: number;
  readonly args?: { readonly [name: string]: unknown };
};

export async function profiled(model: Uint8Array | string, settings: SessionSettings, feeds: Feeds): Promise<Profile> {
  const folder = temporaryFolder('profile');
  try {
    const session = await createSession(model, { ...settings, profileTo: join(folder, 'profile') });
    try {
      for (let call = 0; call <= CALLS; call++) await session.run(feeds);
    } finally {
      session.endProfiling();
      session.dispose();
    }
    const [file = ''] = readdirSync(folder);
    return summary(JSON.parse(readFileSync(join(folder, file), 'utf8')) as Entry[]);
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** The fastest call: the others were disturbed by whatever else the machine does. */
function summary(entries: readonly Entry[]): Profile {
  const [, ...runs] = entries.filter(({ name }) => name === 'model_run').sort((a, b) => a.ts - b.ts);
  const { ts: from, dur: time } = runs.reduce((best, run) => (run.dur < best.dur ? run : best));
  const nodes = entries.filter(
    ({ cat, name, ts }) => cat === 'Node' && name.endsWith(ENDING) && ts >= from && ts <= from + time,
  );
  const memory = nodes.map(({ args }) => Number(args?.['mem_bytes_in_use'])).filter(Number.isFinite);
  return {
    operations: nodes.map(({ name, dur, args }) => ({
      node: name.slice(0, -ENDING.length),
      op: String(args?.['op_name']),
      milliseconds: dur / 1000,
    })),
    milliseconds: time / 1000,
    peakBytes: memory.length === 0 ? undefined : memory.reduce((most, bytes) => Math.max(most, bytes)),
  };
}

import { describe, expect, it } from 'vitest';
import type { ChunkResult } from '@tweedie/experiments';
import { queueAddress, withoutCredentials } from '../src/address.ts';
import { remedyFor } from '../src/connection.ts';
import { jobOf } from '../src/chunk-job.ts';
import { slotsFor } from '../src/painters.ts';
import { memoryFor, needsOf, placeOf } from '../src/needs.ts';
import { decodeResult, encodeResult } from '../src/result-codec.ts';
import { findRun, type RunNotice } from '../src/runs.ts';
import { refuseSkew } from '../src/skew.ts';

describe('the address of a queue', () => {
  it('is shown without what is secret in it', () => {
    const { kind, place, url } = queueAddress('rediss://me:s%2Fecret@lab:6380/2', {});
    expect({ kind, place, url }).toEqual({
      kind: 'redis',
      place: 'rediss://lab:6380/2',
      url: 'rediss://me:s%2Fecret@lab:6380/2',
    });
    expect(queueAddress('postgresql://me@lab/db?sslmode=require&password=secret', {}).place).toBe(
      'postgresql://lab/db',
    );
  });

  it('takes a password that it lacks from the environment', () => {
    const env = { TWEEDIE_QUEUE_PASSWORD: 'a/b@c' };
    expect(queueAddress('redis://lab', env).url).toBe('redis://:a%2Fb%40c@lab');
    expect(queueAddress('postgres://me:own@lab/db', env).url).toBe('postgres://me:own@lab/db');
  });

  it.each([
    ['redis://me:secret@', '[queue] its address cannot be read as a URL.'],
    ['http://me:secret@lab', '[queue] http://lab is no address of Redis or PostgreSQL.'],
    ['secret', '[queue] its address cannot be read as a URL.'],
  ])('is refused where it is %s, without repeating it', (given, message) => {
    expect(() => queueAddress(given, {})).toThrow(
      `${message} Give redis://host:6379, rediss://user@host:6380, or postgres://user@host/database?sslmode=require.`,
    );
  });

  it('is taken out of texts of others', () => {
    expect(withoutCredentials("connect to 'postgres://me:secret@lab/db?password=secret&sslmode=require' failed")).toBe(
      "connect to 'postgres://lab/db?password=...&sslmode=require' failed",
    );
  });
});

it.each([
  ['NOAUTH Authentication required', 'Give user and password in the URL, or the password in TWEEDIE_QUEUE_PASSWORD.'],
  ['self-signed certificate', 'Name the file of the authority that signed its certificate in NODE_EXTRA_CA_CERTS.'],
  ['connect ECONNREFUSED 127.0.0.1:1', 'Start Redis there, or correct the address.'],
])('a server that says %s is told what to do', (reason, remedy) => {
  expect(remedyFor('redis', reason)).toBe(remedy);
});

describe('a worker', () => {
  it('refuses a run whose numbers would differ, and says which side to update', () => {
    const there = { Tweedie: '1.10.0', 'engine onnxruntime, onnxruntime': '1.30.0', weights: 'sha256 aa' };
    expect(() => refuseSkew(there, there, 'r')).not.toThrow();
    expect(() => refuseSkew({ ...there, Tweedie: '1.9.0' }, there, 'r')).toThrow(
      '[run r] would have other numbers on this machine: Tweedie: 1.9.0 here, 1.10.0 there. Update this worker.',
    );
    expect(() => refuseSkew({ ...there, 'engine onnxruntime, onnxruntime': '1.31.0' }, there, 'r')).toThrow(
      'engine onnxruntime, onnxruntime: 1.31.0 here, 1.30.0 there. Update the machine that compares.',
    );
    expect(() => refuseSkew({ ...there, weights: 'sha256 bb' }, { ...there, 'guidance/dps': 'code 12' }, 'r')).toThrow(
      'weights: sha256 bb here, sha256 aa there; guidance/dps: absent here, code 12 there. Bring both to the same version and the same plugins: nothing says which of the two is newer.',
    );
  });

  it('draws as many chunks at once as have their threads and their memory', () => {
    const plan = { threads: [1] };
    expect(slotsFor(plan, { need: 1, memory: Infinity, asked: 3 })).toBe(3);
    expect(slotsFor(plan, { need: 2, memory: 5, asked: 3 })).toBe(2);
    expect(slotsFor(plan, { need: 1, memory: 1e9 })).toBeGreaterThanOrEqual(1);
    expect(slotsFor({ threads: [null] }, { need: 1, memory: 1e9 })).toBe(1);
    expect(slotsFor(plan, { need: 2, memory: 1 })).toBe(0);
  });

  it('has the memory that it was given, or what is free unless a number of workers was asked for', () => {
    expect(memoryFor({ memory: 5, workers: 3 })).toBe(5);
    expect(memoryFor({ workers: 3 })).toBe(Infinity);
    expect(memoryFor({})).toBeLessThan(process.availableMemory());
  });
});

describe('chunks of several needs', () => {
  // Sizes in gigabytes: two that are near each other, a larger and a smaller one.
  const plan = { bytes: [3e9, 0.3e9, 3.5e9, 9e9] };

  it('wait in a queue for each, most memory first, those within a factor of two in one', () => {
    expect(needsOf(plan)).toEqual([9e9, 3.5e9, 0.3e9]);
    expect([0, 1, 2, 3].map((shape) => placeOf(plan, { shape }))).toEqual([1, 2, 1, 0]);
    expect(needsOf({ bytes: [5, 5, 5] })).toEqual([5]);
  });
});

describe('a chunk', () => {
  const samples = [Float32Array.of(1, -0, NaN, 1e-45), { step: 3, reason: 'NaN' }, Float32Array.of(0.1, 2, 3, 4)];
  const result: ChunkResult = {
    task: 'a',
    started: new Date('2026-01-02T03:04:05.678Z'),
    finished: new Date('2026-01-02T03:04:06.789Z'),
    size: 4,
    cost: { forwards: 1 / 3, vjps: 2, operatorCalls: 0 },
    seconds: 0.1,
    compileSeconds: 0,
    peakMemory: 1e9,
    samples,
    scores: [{ cell: 'c', metric: 'm', value: 0.1 + 0.2 }],
    traces: new Map([[2, { levels: [2, 1e-3], frames: [Float32Array.of(1, 2, 3, 4), Float32Array.of(5, 6, 7, 8)] }]]),
  };

  it('is stored with every bit of its samples, scores and traces', () => {
    const read = decodeResult(encodeResult(result));
    expect(read).toEqual(result);
    const bytesOf = (sample: ChunkResult['samples'][number] | undefined): string =>
      sample instanceof Float32Array ? Buffer.from(sample.buffer).toString('hex') : '';
    expect(read.samples.map(bytesOf)).toEqual(samples.map(bytesOf));
  });

  it('is stored without scores that are no numbers', () => {
    const scores = [...result.scores, { cell: 'c', metric: 'n', value: Infinity }];
    expect(decodeResult(encodeResult({ ...result, scores })).scores).toEqual(result.scores);
  });

  it('waits as names and ranges, in less than 2 kB whatever is in it', () => {
    const cells = Array.from({ length: 256 }, (_, i) => 99_000 + 2 * i).join();
    const { data, opts } = jobOf({ key: '0'.repeat(64), row: 99, shape: 9, cells }, `plans/${'f'.repeat(64)}`);
    expect(JSON.stringify(data).length).toBeLessThan(2048);
    expect(opts.jobId).toMatch(/^c-[0-9a-f]{40}$/);
  });
});

it('a run is found by the beginning of its name', () => {
  const runs = ['abc1', 'abd2'].map((run) => ({ run }) as RunNotice);
  expect(findRun(runs, 'abc', 'redis://lab').run).toBe('abc1');
  expect(() => findRun(runs, 'ab', 'redis://lab')).toThrow('[redis://lab] has 2 runs called "ab".');
  expect(() => findRun([], 'x', 'redis://lab')).toThrow(
    '[redis://lab] has no run called "x". No run is announced there: tweedie compare --queue starts one.',
  );
});

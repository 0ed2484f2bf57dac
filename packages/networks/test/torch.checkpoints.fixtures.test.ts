/** Every tensor of the zoo from every file of PyTorch, and the files that are refused, by the lists of the fixtures. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '@tweedie/core';
import { testContext } from '@tweedie/testing';
import { fixtureFolder, fixtureReport, hasFixture } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';
import { openTensors, openTorchFile } from '../src/index.ts';

type Listed = {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly values: readonly (number | string | boolean)[];
};
type Zoo = {
  readonly tensors: Readonly<Record<string, Listed>>;
  readonly wrapped: { readonly state_dict: readonly string[] } & Readonly<Record<string, unknown>>;
};

const dtypes: Readonly<Record<string, string>> = {
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint8: 'U8',
  bool: 'BOOL',
};
const report = fixtureReport('checkpoints', 'torch');
const folder = fixtureFolder('checkpoints');
const { files } = testContext(folder);
const zoo = report.index<Zoo>('zoo.json', { tensors: {}, wrapped: { state_dict: [] } });

const check = async (file: string, names: readonly string[]): Promise<void> => {
  const { shapes, read } = await openTensors(file, files);
  expect([...shapes.keys()].sort()).toEqual([...names].sort());
  for (const name of names) {
    const { dtype, shape, values } = zoo.tensors[name]!;
    const entry = await read(name);
    expect(entry.dtype, name).toBe(dtypes[dtype]);
    expect(entry.shape, name).toEqual(shape);
    expect(shapes.get(name), name).toEqual(shape);
    expect([...entry.data].map(String), name).toEqual(
      values.map((value) => String(typeof value === 'boolean' ? Number(value) : value)),
    );
  }
};
const here = hasFixture('checkpoints', '.') ? readdirSync(folder).filter((name) => name.endsWith('.pt')) : [];
for (const file of here)
  report.case(file, () => check(file, file.includes('wrapped') ? zoo.wrapped.state_dict : Object.keys(zoo.tensors)));

/** Maps as objects: what JSON has. */
const plain = (value: unknown): unknown =>
  value instanceof Map
    ? Object.fromEntries([...value].map(([key, entry]) => [key, plain(entry)]))
    : Array.isArray(value)
      ? value.map(plain)
      : value;
if (hasFixture('checkpoints', 'zoo.wrapped.pt'))
  report.case('zoo.wrapped.pt, what is beside the tensors', async () => {
    const { value } = await openTorchFile('zoo.wrapped.pt', files);
    const { state_dict: tensors, ...rest } = plain(value) as Record<string, unknown>;
    const { state_dict: names, ...expected } = zoo.wrapped;
    expect(rest).toEqual(expected);
    expect(Object.keys(tensors as object)).toEqual(names);
    const { notes } = await openTensors('zoo.wrapped.pt', files);
    expect(notes).toEqual(['weights taken, "state_dict"; left out: "epoch", "lr", "note", "betas" and 3 more']);
  });

/** What the error says, where the fixtures ask for more than one. */
const says: Readonly<Record<string, string>> = {
  'os-system.pt': 'the file asks for "os.system"',
  'os-system.legacy.pt': 'the file asks for "posix.system"',
  'os-system.protocol4.pt': 'the file asks for "os.system"',
  'missing-storage.pt': 'with the numbers of a tensor is absent.',
  'bit-flip.pt': 'is damaged, its CRC-32 does not match.',
  'empty.pt': 'is empty, 0 bytes.',
  'not-a-checkpoint.pt': 'is a page of HTML or XML',
  'truncated.pt': 'the list of its records, which stands at the end, is gone.',
  'truncated.legacy.pt': 'or ends behind the file.',
};
const bad = report.index<{ files: Readonly<Record<string, string>> }>('bad/index.json', { files: {} });
for (const file of Object.keys(bad.files).filter((name) => name.endsWith('.pt')))
  report.case(`bad/${file}`, async () => {
    const reading = async (): Promise<void> => {
      const { shapes, read } = await openTensors(join('bad', file), files);
      for (const name of shapes.keys()) await read(name);
    };
    await expect(reading()).rejects.toThrow(ConfigError);
    await expect(reading()).rejects.toThrow(says[file] ?? join('bad', file));
  });

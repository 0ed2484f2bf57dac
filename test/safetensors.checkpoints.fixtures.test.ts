/** The safetensors files of the checkpoint fixtures, which core reads; those of PyTorch: packages/networks. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, decodeSafetensors } from '@tweedie/core';
import { fixtureFolder, fixtureReport, hasFixture, readFixtureTensors } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';

type Listed = {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly values: readonly (number | string | boolean)[];
};

const report = fixtureReport('checkpoints', 'safetensors');
const folder = fixtureFolder('checkpoints');

type Zoo = { tensors: Readonly<Record<string, Listed>> };
const { tensors } = report.index<Zoo>('zoo.json', { tensors: {} });
if (!hasFixture('checkpoints', 'zoo.safetensors')) report.notListed('zoo.safetensors');
else {
  const stored = readFixtureTensors('checkpoints', 'zoo.safetensors');
  for (const [name, { shape, values }] of Object.entries(tensors)) {
    report.case(`zoo.safetensors ${name}`, () => {
      const entry = stored.get(name);
      expect(entry?.shape).toEqual(shape);
      expect([...(entry?.data ?? [])].map(String)).toEqual(
        values.map((value) => String(typeof value === 'boolean' ? Number(value) : value)),
      );
    });
  }
}
const { files } = report.index<{ files: Readonly<Record<string, string>> }>('bad/index.json', { files: {} });
for (const file of Object.keys(files).filter((name) => name.endsWith('.safetensors'))) {
  report.case(`bad/${file}`, () => {
    const bytes = readFileSync(join(folder, 'bad', file));
    expect(() => decodeSafetensors(bytes, file)).toThrow(ConfigError);
  });
}

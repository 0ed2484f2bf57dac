import { EventEmitter } from 'node:events';
import type { Progress } from '@tweedie/experiments';
import { describe, expect, it, vi } from 'vitest';
import { interruptible } from '../src/interrupt.ts';
import { progressOn } from '../src/progress.ts';
import { parseReference } from '../src/reference.ts';
import { allowedValues, columns, describeOptions } from '../src/text.ts';

describe('parseReference', () => {
  it('reads an id, with options as pairs or as JSON', () => {
    expect(parseReference('dps')).toEqual({ id: 'dps', options: {} });
    expect(parseReference('dps:scale=0.3,norm=squared,on=true')).toEqual({
      id: 'dps',
      options: { scale: 0.3, norm: 'squared', on: true },
    });
    expect(parseReference('gmm:{"a":[1,2]}')).toEqual({ id: 'gmm', options: { a: [1, 2] } });
  });
  it('refuses what is neither', () => {
    expect(() => parseReference('dps:scale')).toThrow(
      '[dps:scale] "scale" is not of the form name=value. Write options as id:name=value,name=value.',
    );
    expect(() => parseReference('dps:{"scale"')).toThrow(/the options are not valid JSON/);
  });
});

describe('text', () => {
  it('aligns columns', () => {
    expect(
      columns([
        ['a', 'bb', ''],
        ['aaa', 'b', 'c'],
      ]),
    ).toBe('  a     bb\n  aaa   b    c');
  });
  it('says which values a schema allows', () => {
    expect(allowedValues({ type: 'number', minimum: 0, exclusiveMaximum: 1 })).toBe('number, at least 0, below 1');
    expect(allowedValues({ enum: ['plain', 'squared', 2] })).toBe('plain | squared | 2');
    expect(allowedValues({ anyOf: [{ type: 'integer', minimum: 1 }, { const: 'all' }] })).toBe(
      'integer, at least 1 or all',
    );
    expect(allowedValues({ type: 'array', items: { type: 'number' } })).toBe('list of number');
  });
  it('describes options and their members', () => {
    const schema = {
      required: ['data'],
      properties: {
        scale: { type: 'number', default: 1, description: 'strength' },
        data: { type: 'object', properties: { id: { type: 'string', description: 'which' } } },
      },
    };
    expect(describeOptions(schema)).toEqual([
      '  scale: number (default 1)',
      '      strength',
      '  data: object (required)',
      '  data.id: string',
      '      which',
    ]);
  });
});

describe('progress', () => {
  const events: readonly Progress[] = Array.from({ length: 101 }, (_, done) => ({
    phase: 'sampling',
    done,
    total: 100,
    label: 'dps',
  }));
  const stream = (isTTY: boolean) =>
    Object.assign(new EventEmitter(), {
      isTTY,
      columns: 80,
      write: vi.fn((_text: string) => true),
      cursorTo: vi.fn(),
      clearLine: vi.fn(),
      moveCursor: vi.fn(),
    });

  it('is a line per quarter where there is no terminal', () => {
    const plain = stream(false);
    const progress = progressOn(plain as unknown as NodeJS.WriteStream);
    events.forEach((event) => progress.show(event));
    progress.stop();
    const written = plain.write.mock.calls.map(([text]) => text);
    expect(written).toHaveLength(5);
    expect(written[1]).toBe('sampling 25 %  dps\n');
  });

  it('is a bar on a terminal', () => {
    const terminal = stream(true);
    const progress = progressOn(terminal as unknown as NodeJS.WriteStream);
    events.forEach((event) => progress.show(event));
    progress.stop();
    expect(terminal.write.mock.calls.map(([text]) => text).join('')).toMatch(/sampling [^\n]+ 0 % .* dps/);
  });
});

describe('interruptible', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'turns the first %s into an abort and leaves the second to the system',
    async (name) => {
      const before = process.listenerCount(name);
      const told = vi.fn();
      const seen = await interruptible(told, async (signal) => {
        expect(process.listenerCount(name)).toBe(before + 1);
        process.emit(name, name);
        expect(process.listenerCount(name)).toBe(before);
        return signal.aborted;
      });
      expect(seen).toBe(true);
      expect(told).toHaveBeenCalledOnce();
    },
  );

  it('takes its listeners away when the work fails', async () => {
    const before = process.listenerCount('SIGINT');
    await expect(
      interruptible(
        () => undefined,
        () => Promise.reject(new Error('no')),
      ),
    ).rejects.toThrow('no');
    expect(process.listenerCount('SIGINT')).toBe(before);
  });
});

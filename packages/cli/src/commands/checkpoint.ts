import { Args, Command, Flags } from '@oclif/core';
import { columns } from '../text.ts';

/** `tweedie checkpoint inspect` says what a file of weights is, and which lines of a recipe use it. */
export class Checkpoint extends Command {
  static override summary = 'Say what a checkpoint is, and print the lines of a recipe that use it.';
  static override description =
    'Files of PyTorch (.pt, .pth, .ckpt), pickles of NVlabs/edm, safetensors, folders of diffusers: recognised by their tensors. No code in a file is run. What the tensors do not tell is listed.';
  static override examples = [
    '<%= config.bin %> checkpoint inspect ffhq_10m.pt',
    '<%= config.bin %> checkpoint inspect model.ckpt --image-size 64',
    '<%= config.bin %> checkpoint inspect ddpm-celebahq-256 --json',
  ];
  static override args = {
    action: Args.string({ required: true, options: ['inspect'], description: 'what to do with it' }),
    path: Args.string({ required: true, description: 'a file, or a folder of diffusers' }),
  };
  static override flags = {
    'image-size': Flags.integer({ min: 1, description: 'Pixels of a side, where the tensors do not tell them.' }),
    json: Flags.boolean({ description: 'Print all of it as JSON.' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Checkpoint);
    const { createFiles } = await import('@tweedie/files');
    const { inspectCheckpoint } = await import('@tweedie/networks');
    const found = await inspectCheckpoint(args.path, createFiles(process.cwd()), flags['image-size']);
    if (flags.json) return this.log(JSON.stringify(found, undefined, 2));
    const facts = [
      ['format', found.format],
      ['network', found.network],
      ['parameters', found.parameters?.toLocaleString('en-US') ?? ''],
      ['SHA-256', found.sha256 ?? ''],
      ...found.notes.map((note) => ['note', note]),
    ].filter(([, value]) => value !== '');
    const options = Object.entries(found.model.options).map(([name, value]) => `    ${name}: ${quoted(value)}`);
    const asked = found.asked.map(([name, why]) => [name, why]);
    this.log(
      [
        columns(facts),
        `\nmodel:\n  id: ${found.model.id}\n  options:\n${options.join('\n')}`,
        ...(asked.length === 0 ? [] : [`\nTo be added or checked, for the file does not say:\n${columns(asked)}`]),
      ].join('\n'),
    );
  }
}

/** A value as YAML: texts in quotes, so that a list of numbers stays a text. */
const quoted = (value: unknown): string =>
  typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value);

import { Args, Command, Flags } from '@oclif/core';
import { overrideFlags, overridesOf } from '../override-flags.ts';
import { registriesOf, registryFlag } from '../registry-flag.ts';
import { runResumable } from '../run.ts';
import { workersFlag } from '../workers-flag.ts';

/** `tweedie compare` runs the comparison of a recipe, or the rest of one that was stopped. */
export class Compare extends Command {
  static override summary = 'Run the comparison that a recipe describes; end with a table and an HTML report.';
  static override description =
    'A run that was stopped, by Ctrl-C or by a crash, resumes with the same command: finished samples are kept. Exit codes: 0 done, 1 a sample failed (of a run of which all did, the last line says so), 2 bad input, 130 stopped.';
  static override examples = [
    '<%= config.bin %> compare recipes/quickstart.yaml',
    '<%= config.bin %> compare recipes/quickstart.yaml --limit 2 --steps 20 --out runs/trial',
    '<%= config.bin %> compare recipes/quickstart.yaml --queue redis://lab:6379 --store http://this-machine:8080',
    '<%= config.bin %> compare my.yaml --shard 0/4 --out runs/mine',
    '<%= config.bin %> compare my.yaml --registry ../my-plugins/registry.json --json > result.json',
  ];
  static override args = { recipe: Args.string({ required: true, description: 'experiment file, YAML or JSON' }) };
  static override flags = {
    ...overrideFlags,
    out: Flags.string({ char: 'o', helpValue: 'FOLDER', description: 'Run folder: results, images, report.' }),
    ...workersFlag,
    queue: Flags.string({
      helpValue: 'URL',
      exclusive: ['workers'],
      description: 'Draw on the machines where tweedie work takes from this queue, on Redis or PostgreSQL.',
    }),
    store: Flags.string({
      helpValue: 'PLACE',
      dependsOn: ['queue'],
      description: 'Where they put results: a folder, s3://bucket/prefix, or http://host:port to send them here.',
    }),
    shard: Flags.string({
      helpValue: 'I/N',
      description:
        'Draw part I, from 0, of N parts of equal cost of what the run folder lacks, into a folder of its own beside it; tweedie merge makes one run of them.',
    }),
    ...registryFlag,
    json: Flags.boolean({ description: 'Print one JSON object on standard output instead of the table.' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Compare);
    const { compare } = await import('@tweedie/experiments');
    const elsewhere =
      flags.queue === undefined
        ? undefined
        : (await import('@tweedie/queue')).drawOnQueue({ queue: flags.queue, store: flags.store });
    const comparison = await runResumable('compare', this.argv, ({ onProgress, signal }) =>
      compare({
        recipe: args.recipe,
        ...registriesOf(flags),
        overrides: overridesOf(flags),
        ...(flags.out !== undefined && { out: flags.out }),
        workers: flags.workers,
        elsewhere,
        shard: flags.shard,
        onProgress,
        signal,
      }),
    );
    this.log(flags.json ? JSON.stringify(comparison.json) : `${comparison.table}\n\nReport: ${comparison.report}`);
    if (comparison.failed !== undefined) this.logToStderr(comparison.failed);
    if (comparison.failures.length > 0) this.exit(1);
  }
}

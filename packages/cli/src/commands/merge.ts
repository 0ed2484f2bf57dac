import { Args, Command, Flags } from '@oclif/core';
import { ConfigError } from '@tweedie/core/registry';
import { runResumable } from '../run.ts';

/** `tweedie merge` makes one run of the folders that shards have drawn. */
export class Merge extends Command {
  static override summary = 'Make one run of the folders of its shards; end with the table and the report.';
  static override description =
    'The folders must be of one recipe, drawn by the same code; they are only read. Says what is missing and which kinds of CPU were mixed. Exit codes: 0 done, 1 samples are missing or failed, 2 bad input.';
  static override examples = ['<%= config.bin %> merge runs/mine-shard-*-of-4 --out runs/mine'];
  static override strict = false;
  static override args = { folder: Args.string({ description: 'run folders' }) };
  static override flags = {
    out: Flags.string({
      char: 'o',
      helpValue: 'FOLDER',
      required: true,
      description: 'Run folder that takes all of them; it may hold a part already.',
    }),
    json: Flags.boolean({ description: 'Print one JSON object on standard output instead of the table.' }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Merge);
    const folders = argv.map(String);
    if (folders.length === 0)
      throw new ConfigError('tweedie merge', 'no run folder is given.', 'Give the folders of the shards, and --out.');
    const { merge } = await import('@tweedie/experiments');
    const merged = await runResumable('merge', this.argv, (running) => merge({ folders, out: flags.out, ...running }));
    const { missing, samples, cpus, different, json } = merged;
    this.log(
      flags.json
        ? JSON.stringify({ ...json, missing, samples, cpus, different })
        : `${merged.table}\n\nReport: ${merged.report}`,
    );
    if (merged.failed !== undefined) this.logToStderr(merged.failed);
    if (missing > 0 || merged.failures.length > 0) this.exit(1);
  }
}

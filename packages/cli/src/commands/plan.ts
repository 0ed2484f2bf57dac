import { Args, Command, Flags } from '@oclif/core';
import { overrideFlags, overridesOf } from '../override-flags.ts';
import { registriesOf, registryFlag } from '../registry-flag.ts';

/** `tweedie plan` shows what a recipe would run, what is impossible and why, and what it costs. */
export class Plan extends Command {
  static override summary = 'Show what a recipe would run and cost, and what is impossible, without running it.';
  static override examples = [
    '<%= config.bin %> plan recipes/quickstart.yaml',
    '<%= config.bin %> plan my.yaml --steps 1000 --samples 8 --no-measure',
  ];
  static override args = { recipe: Args.string({ required: true, description: 'experiment file, YAML or JSON' }) };
  static override flags = {
    ...overrideFlags,
    ...registryFlag,
    json: Flags.boolean({ description: 'Print one JSON object.' }),
    measure: Flags.boolean({
      default: true,
      allowNo: true,
      description: 'Run a few steps of each row to estimate seconds on this machine.',
    }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Plan);
    const { plan } = await import('@tweedie/experiments');
    const { table, json } = await plan({
      recipe: args.recipe,
      ...registriesOf(flags),
      overrides: overridesOf(flags),
      measure: flags.measure,
    });
    this.log(flags.json ? JSON.stringify(json) : table);
  }
}

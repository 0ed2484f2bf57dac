import { Command, Flags } from '@oclif/core';
import { messageOf, NotInstalledError } from '@tweedie/core/registry';
import { checkMachine, checkNetwork, type Check } from '../checks.ts';
import { registriesOf, registryFlag } from '../registry-flag.ts';

/** `tweedie doctor` tries every part on this machine. */
export class Doctor extends Command {
  static override summary = 'Try what Tweedie needs on this machine, and say what to do about what does not work.';
  static override examples = [
    '<%= config.bin %> doctor',
    '<%= config.bin %> doctor --queue redis://lab:6379 --store s3://bucket/tweedie',
    '<%= config.bin %> doctor --json',
  ];
  static override flags = {
    queue: Flags.string({ helpValue: 'URL', description: 'Try this queue too; default TWEEDIE_QUEUE, if it is set.' }),
    store: Flags.string({ helpValue: 'PLACE', description: 'Try this store too: a folder or s3://bucket/prefix.' }),
    ...registryFlag,
    json: Flags.boolean({ description: 'Print one JSON array.' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Doctor);
    const results: Result[] = [];
    const { queue = process.env['TWEEDIE_QUEUE'], store } = flags;
    for (const check of [...checkMachine(registriesOf(flags)), ...checkNetwork(queue, store)]) {
      const result = await outcome(check);
      results.push(result);
      if (!flags.json) this.log(`${result.state.padEnd(7)} ${result.name}: ${result.says}`);
    }
    if (flags.json) this.log(JSON.stringify(results, undefined, 2));
    if (results.some(({ state }) => state === 'broken')) this.exit(1);
  }
}

type Result = { readonly name: string; readonly state: 'ok' | 'absent' | 'broken'; readonly says: string };

const outcome = async ({ name, attempt, remedy, optional = false }: Check): Promise<Result> => {
  try {
    return { name, state: 'ok', says: await attempt() };
  } catch (error) {
    if (optional || error instanceof NotInstalledError) return { name, state: 'absent', says: messageOf(error) };
    return { name, state: 'broken', says: `${messageOf(error)} ${remedy}`.trimEnd() };
  }
};

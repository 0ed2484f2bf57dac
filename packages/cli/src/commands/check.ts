import { Args, Command, Flags } from '@oclif/core';
import { CancelledError, refuseLocalRegistries, tellRegistries } from '@tweedie/core/registry';
import { findPlugin } from '../check-plugin/find.ts';
import { folded, needing, onOneLine, type Outcome } from '../check-plugin/outcome.ts';
import { runTests, testsOf } from '../check-plugin/tests.ts';
import { checkTypes } from '../check-plugin/types.ts';
import { interruptible } from '../interrupt.ts';
import { registriesOf, registryFlag } from '../registry-flag.ts';

/** `tweedie check` checks one plugin, wherever it lies. */
export class Check extends Command {
  static override summary = 'Check one plugin, wherever it lies: its types, then its tests or the kit of its kind.';
  static override description =
    'Inside the repository or beside an experiment, where nothing is installed. A plugin without tests is asked what the conformance kit of its kind asks, with default options and settings; a test that calls the kit says where its theory differs. Exit codes: 0 all is well, 1 something failed, 2 bad input, 130 stopped by Ctrl-C.';
  static override examples = [
    '<%= config.bin %> check guidance/my-method',
    '<%= config.bin %> check ./pull',
    '<%= config.bin %> check pull --json',
  ];
  static override args = {
    plugin: Args.string({ required: true, description: 'folder of a plugin, or kind/id, or its id alone' }),
  };
  static override flags = { ...registryFlag, json: Flags.boolean({ description: 'Print one JSON array.' }) };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Check);
    const registries = registriesOf(flags);
    const { kind, id, folder } = findPlugin(args.plugin, registries);
    // The kit opens the registries itself, where the plugin has tests in a process of its own.
    if (flags['local-registry'] === false) refuseLocalRegistries();
    tellRegistries({ ...registries, folders: [process.cwd(), folder] });
    if (!flags.json) this.log(`${kind}/${id} in ${folder}\n`);
    const all: Outcome[] = [];
    await interruptible(
      () => this.logToStderr('Stopping. Press Ctrl-C again to end at once.'),
      async (signal) => {
        for await (const outcome of outcomesOf(folder, signal)) {
          if (signal.aborted) throw new CancelledError('Stopped.');
          all.push(outcome);
          if (!flags.json) this.log(`${outcome.state.padEnd(6)}  ${outcome.name}: ${outcome.says}`);
        }
      },
    );
    if (flags.json) this.log(JSON.stringify(all, undefined, 2));
    if (all.some(({ state }) => state === 'failed')) this.exit(1);
  }
}

async function* outcomesOf(folder: string, signal: AbortSignal): AsyncGenerator<Outcome> {
  yield* await checkTypes(folder);
  const tests = testsOf(folder);
  if (tests.length > 0) return yield* await runTests(folder, tests, signal);
  const { runKit } = await needing(() => import('@tweedie/testing'));
  for await (const { title, checks, failures } of runKit(folder)) {
    const name = `kit, ${title}`;
    yield* folded(failures.map((one) => ({ name: `${name}, ${one.name}`, says: onOneLine(one.message) })));
    const state = failures.length === 0 ? 'ok' : 'failed';
    yield { name, state, says: `${checks - failures.length} of ${checks} checks passed` };
  }
}

import { Args, Command, Flags } from '@oclif/core';
import {
  CancelledError,
  refuseLocalRegistries,
  type Manifest,
  type RegistryOptions,
  tellRegistries,
} from '@tweedie/core/registry';
import { findAny } from '../check-plugin/find.ts';
import { folded, needing, onOneLine, type Outcome } from '../check-plugin/outcome.ts';
import { runTests, testsOf } from '../check-plugin/tests.ts';
import { checkTypes } from '../check-plugin/types.ts';
import { sheetOf, showSheet } from '../check-plugin/sheet.ts';
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
    '<%= config.bin %> check guidance/my-method --sheet --out my-method.html',
  ];
  static override args = {
    plugin: Args.string({
      required: true,
      description: 'folder of a plugin, a file that is one, or kind/id, or its id alone',
    }),
  };
  static override flags = {
    ...registryFlag,
    sheet: Flags.boolean({
      description:
        'The badge sheet: every check of the kit by name, in place of own tests, and of a guidance method its distance to known posteriors, cost and speed.',
    }),
    out: Flags.string({ char: 'o', helpValue: 'FILE', description: 'Write the sheet as a page, to publish.' }),
    json: Flags.boolean({ description: 'Print one JSON array; with --sheet, one object.' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Check);
    const registries = registriesOf(flags);
    if (flags.out !== undefined) {
      const { checkPlace, OTHER_FILE } = await import('@tweedie/files');
      checkPlace(flags.out, OTHER_FILE);
    }
    const found = await findAny(args.plugin, registries);
    const { kind, id, folder, file } = found;
    // The kit opens the registries itself, where the plugin has tests in a process of its own.
    if (flags['local-registry'] === false) refuseLocalRegistries();
    tellRegistries({ ...registries, folders: [process.cwd(), folder] });
    if (!flags.json) this.log(`${kind}/${id} in ${file ?? folder}\n`);
    const isSound = await interruptible(
      () => this.logToStderr('Stopping. Press Ctrl-C again to end at once.'),
      (signal) =>
        flags.sheet || flags.out !== undefined
          ? this.makeSheet(found, registries, flags, signal)
          : this.list(found, flags, signal),
    );
    if (!isSound) this.exit(1);
  }

  /** Prints what was found, line by line; says whether all is well. */
  private async list(found: Manifest, { json }: { readonly json: boolean }, signal: AbortSignal): Promise<boolean> {
    const all: Outcome[] = [];
    for await (const outcome of outcomesOf(found, signal)) {
      if (signal.aborted) throw new CancelledError('Stopped.');
      all.push(outcome);
      if (!json) this.log(`${outcome.state.padEnd(6)}  ${outcome.name}: ${outcome.says}`);
    }
    if (json) this.log(JSON.stringify(all, undefined, 2));
    return all.every(({ state }) => state === 'ok');
  }

  private async makeSheet(
    found: Manifest,
    registries: RegistryOptions,
    { json, out }: { readonly json: boolean; readonly out?: string | undefined },
    signal: AbortSignal,
  ): Promise<boolean> {
    const sheet = await sheetOf(found, registries, signal);
    this.log(json ? JSON.stringify(sheet, undefined, 2) : showSheet(sheet));
    if (out !== undefined) {
      const [{ sheetPage }, { OTHER_FILE, writeWhole }] = await Promise.all([
        import('@tweedie/experiments'),
        import('@tweedie/files'),
      ]);
      writeWhole(out, sheetPage(sheet), OTHER_FILE);
      if (!json) this.log(`\n${out}`);
    }
    return sheet.blocks.every(({ checks }) => checks.every(({ failure }) => failure === undefined));
  }
}

async function* outcomesOf(found: Manifest, signal: AbortSignal): AsyncGenerator<Outcome> {
  const { folder, file } = found;
  yield* await checkTypes(found);
  const tests = file === undefined ? testsOf(folder) : [];
  if (tests.length > 0) return yield* await runTests(folder, tests, signal);
  const { runKit } = await needing(() => import('@tweedie/testing/kit'));
  for await (const { title, checks, failures } of runKit(found)) {
    const name = `kit, ${title}`;
    yield* folded(failures.map((one) => ({ name: `${name}, ${one.name}`, says: onOneLine(one.message) })));
    const state = failures.length === 0 ? 'ok' : 'failed';
    yield { name, state, says: `${checks.length - failures.length} of ${checks.length} checks passed` };
  }
}

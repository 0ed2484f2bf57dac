import { Args, Command } from '@oclif/core';
import { interruptible } from '../interrupt.ts';
import { repositoryOf, scaffold, type ScaffoldKind, scaffoldKinds } from '../scaffold.ts';
import { columns } from '../text.ts';

/** `tweedie new` makes a plugin that works, to be edited. */
export class New extends Command {
  static override summary =
    'Make a plugin from a template, inside the repository: registered, tested, and already doing something correct.';
  static override description = `Copies templates/<kind> to plugins/<kind>-<id> under its new name, adds a line to registry.json, and links the package (node_modules and package-lock.json) so that it runs at once; nothing is downloaded. Three comments, "Edit 1 of 3" to "Edit 3 of 3", mark what to change. Nothing is overwritten; if it fails or is stopped, everything is as it was.`;
  static override examples = [
    '<%= config.bin %> new operator my-blur',
    '<%= config.bin %> new guidance my-method',
    '<%= config.bin %> new scheduler my-schedule',
    '<%= config.bin %> new model my-prior',
    '<%= config.bin %> new metric my-error',
    '<%= config.bin %> new dataset my-pictures',
  ];
  static override args = {
    kind: Args.custom<ScaffoldKind>({ options: [...scaffoldKinds] })({ required: true, description: 'what to make' }),
    id: Args.string({ required: true, description: 'name in recipes: small letters and digits, dashes between words' }),
  };

  async run(): Promise<void> {
    const {
      args: { kind, id },
    } = await this.parse(New);
    const root = repositoryOf(process.cwd());
    const folder = await interruptible(
      () => undefined,
      (signal) => scaffold({ root, kind, id, signal }),
    );
    const where = process.cwd() === root ? '' : ` From ${root}:`;
    this.log(`Made ${kind}/${id} in ${folder}. It works as it is.${where}\n`);
    this.log(
      columns([
        ['edit', `${folder}/src/index.ts, at its three comments; then plugin.json and README.md`],
        ['check', `npx tweedie check ${kind}/${id}`],
        ['compare', `npx tweedie compare ${folder}/${id}.yaml`],
      ]),
    );
  }
}

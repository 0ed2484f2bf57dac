import { Args, Command } from '@oclif/core';
import { completed, onTerminal } from '../ask.ts';
import { interruptible } from '../interrupt.ts';
import { repositoryOf, scaffold, type ScaffoldKind, scaffoldKinds } from '../scaffold.ts';
import { scaffoldPackage } from '../stand-alone.ts';
import { columns } from '../text.ts';

/** `tweedie new` makes a plugin that works, to be edited. */
export class New extends Command {
  static override summary =
    'Make a plugin from a template: tested, and already doing something correct; anywhere as an npm package of its own.';
  static override description = `Outside of the repository it makes the folder <kind>-<id>: an npm package with the plugin, its test, a registry that names it, licence and CI file. Inside it makes plugins/<kind>-<id>, adds a line to registry.json, and links the package (node_modules and package-lock.json) so that it runs at once. Three comments, "Edit 1 of 3" to "Edit 3 of 3", mark what to change. Nothing is downloaded or overwritten; if it fails or is stopped, everything is as it was. On a terminal it asks for what is missing.`;
  static override examples = [
    '<%= config.bin %> new operator my-blur',
    '<%= config.bin %> new guidance my-method',
    '<%= config.bin %> new scheduler my-schedule',
    '<%= config.bin %> new model my-prior',
    '<%= config.bin %> new metric my-error',
    '<%= config.bin %> new dataset my-pictures',
    '<%= config.bin %> new engine my-backend',
  ];
  static override args = {
    kind: Args.custom<ScaffoldKind>({ options: [...scaffoldKinds] })({ description: 'what to make' }),
    id: Args.string({ description: 'name in recipes: small letters and digits, dashes between words' }),
  };

  async run(): Promise<void> {
    const { args } = await this.parse(New);
    const { kind, id } = await completed(args, onTerminal());
    const root = repositoryOf(process.cwd());
    const parent = process.cwd();
    const folder = await interruptible(
      () => undefined,
      (signal) =>
        root === undefined ? scaffoldPackage({ parent, kind, id, signal }) : scaffold({ root, kind, id, signal }),
    );
    const where = root === undefined || parent === root ? '' : ` From ${root}:`;
    this.log(`Made ${kind}/${id} in ${folder}. It works as it is.${where}\n`);
    this.log(
      columns(
        root === undefined
          ? [
              ['install', `cd ${folder} && npm install --ignore-scripts`],
              ['edit', 'src/index.ts, at its three comments; then plugin.json and README.md'],
              ['check', 'npm test'],
              ['compare', `npx tweedie compare ${id}.yaml`],
            ]
          : [
              ['edit', `${folder}/src/index.ts, at its three comments; then plugin.json and README.md`],
              ['check', `npx tweedie check ${kind}/${id}`],
              ['compare', `npx tweedie compare ${folder}/${id}.yaml`],
            ],
      ),
    );
  }
}

import { Args, Command } from '@oclif/core';
import { ConfigError } from '@tweedie/core/registry';
import { addPlugin, listPlugins, registryIn, removePlugin } from '../own-registry.ts';
import { columns } from '../text.ts';

const actions = ['add', 'remove', 'list'] as const;

/** `tweedie plugins` keeps the registry of the working folder. */
export class Plugins extends Command {
  static override summary =
    'Add plugins of others, or your own, to the registry.json of this folder; remove and list them.';
  static override description = `A plugin is an npm package (installed if it is not, without install scripts), a folder, or a git checkout. PLUGINS RUN AS CODE, with all that you may do: add those that you trust. "add" imports the plugin once to see that it works; what is wrong is told, and nothing is written. The registry is read by commands that are run in this folder.`;
  static override examples = [
    '<%= config.bin %> plugins add tweedie-guidance-theirs',
    '<%= config.bin %> plugins add ../my-method',
    '<%= config.bin %> plugins remove guidance/theirs',
    '<%= config.bin %> plugins list',
  ];
  static override args = {
    action: Args.custom<(typeof actions)[number]>({ options: [...actions] })({
      required: true,
      description: 'what to do',
    }),
    plugin: Args.string({ description: 'package or folder to add; kind/id, package or folder to remove' }),
  };

  async run(): Promise<void> {
    const { action, plugin } = (await this.parse(Plugins)).args;
    const folder = process.cwd();
    const file = registryIn(folder);
    if (action === 'list') {
      const rows = listPlugins(folder);
      return this.log(rows.length === 0 ? `No plugins in ${file}.` : columns(rows));
    }
    if (plugin === undefined)
      throw new ConfigError(
        `plugins ${action}`,
        'which plugin is not said.',
        `Say tweedie plugins ${action} <plugin>.`,
      );
    if (action === 'remove') return this.log(`Removed ${await removePlugin(plugin, folder)} from ${file}.`);
    const { kind, id, title, folder: place } = await addPlugin(plugin, folder, (line) => this.logToStderr(line));
    this.log(
      `Added ${kind}/${id}, ${title}, to ${file}. It runs as code, from ${place}, whenever a command in this folder uses it.`,
    );
  }
}

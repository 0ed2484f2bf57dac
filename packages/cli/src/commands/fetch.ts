import { Args, Command, Flags } from '@oclif/core';
import { ConfigError, howToGet, openRegistry } from '@tweedie/core/registry';
import { registriesOf, registryFlag } from '../registry-flag.ts';
import { runLong } from '../run.ts';
import { find } from './info.ts';

/** `tweedie fetch` brings files that a plugin needs and that do not ship into the cache folder. */
export class Fetch extends Command {
  static override summary = 'Fetch the files that a plugin needs and that do not ship, into the cache folder.';
  static override description =
    'They come out of Debian packages: through apt (root is not needed), or out of what --from names. Every file is checked by its SHA-256; what is there already is left alone. The cache folder is TWEEDIE_CACHE, or tweedie in XDG_CACHE_HOME, else in ~/.cache.';
  static override examples = [
    '<%= config.bin %> fetch photographs',
    '<%= config.bin %> fetch dataset/photographs --from mate-backgrounds_1.26.0-1_all.deb --from ~/more-packages',
    '<%= config.bin %> fetch photographs --from /   # where the packages are installed',
  ];
  static override args = {
    plugin: Args.string({ required: true, description: 'kind/id, or the id alone where only one kind has it' }),
  };
  static override flags = {
    from: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'PATH',
      description: 'A .deb file, a folder with some, or one into which some were unpacked; apt is not asked then.',
    }),
    ...registryFlag,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Fetch);
    const registry = openRegistry(registriesOf(flags));
    const { fetch, kind, id, folder, card } = find(registry, args.plugin);
    if (card) throw new ConfigError(`${kind}/${id}`, 'is a published checkpoint.', howToGet(card));
    if (fetch === undefined) {
      const having = registry.manifests.filter((manifest) => manifest.fetch !== undefined);
      throw new ConfigError(
        `${kind}/${id}`,
        'all that this plugin needs ships with it.',
        `Files are fetched for: ${having.map((manifest) => `${manifest.kind}/${manifest.id}`).join(', ') || 'none'}.`,
      );
    }
    const { fetchFiles } = await import('@tweedie/files');
    const done = await runLong(({ onProgress, signal }) =>
      fetchFiles(
        { kind, id, folder, fetch },
        {
          ...(flags.from && { from: flags.from }),
          signal,
          onProgress: (progress) => onProgress({ phase: 'fetching', ...progress }),
        },
      ),
    );
    this.log(
      `${done.files.length} file${done.files.length === 1 ? '' : 's'}, ${done.fetched.length} of them fetched now, in ${done.folder}`,
    );
  }
}

import { Args, Command } from '@oclif/core';
import { bibliography } from '../bibliography.ts';
import { registriesOf, registryFlag } from '../registry-flag.ts';

/** `tweedie cite` prints the BibTeX of what a recipe or a run uses. */
export class Cite extends Command {
  static override summary =
    'Print the BibTeX of what a recipe or a run uses: methods, schedulers, models, metrics, Tweedie.';
  static override description = `Entries come from the manifests of plugins, with the place in the paper as a comment. "tweedie list --cite" prints those of all plugins.`;
  static override examples = [
    '<%= config.bin %> cite recipes/quickstart.yaml',
    '<%= config.bin %> cite runs/quickstart-1a2b3c4d > used.bib',
  ];
  static override args = {
    recipe: Args.string({ required: true, description: 'experiment file, or the folder of a run' }),
  };
  static override flags = { ...registryFlag };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Cite);
    const { usedPlugins } = await import('@tweedie/experiments');
    const { manifests, unknown } = await usedPlugins({ recipe: args.recipe, ...registriesOf(flags) });
    this.log(bibliography(this.config.version, manifests, unknown));
  }
}

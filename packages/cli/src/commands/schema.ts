import { Command, Flags } from '@oclif/core';
import { openRegistry } from '@tweedie/core/registry';
import { registriesOf, registryFlag } from '../registry-flag.ts';

/** `tweedie schema` writes the schema of recipes for editors. */
export class Schema extends Command {
  static override summary = 'Write a JSON Schema of recipes that knows every plugin here, yours too, for editors.';
  static override description = `An editor with a YAML language server completes keys, ids and options of a recipe, and says what they mean, where its first line is
  # yaml-language-server: $schema=recipe.schema.json
and in VS Code for all recipes by "yaml.schemas": { "./recipe.schema.json": "recipes/*.yaml" }.`;
  static override examples = ['<%= config.bin %> schema --out recipe.schema.json'];
  static override flags = {
    out: Flags.string({ char: 'o', helpValue: 'FILE', description: 'The file to write; default: standard output.' }),
    ...registryFlag,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Schema);
    const [{ schemaForEditors }, { OTHER_FILE, writeWhole }] = await Promise.all([
      import('@tweedie/experiments'),
      import('@tweedie/files'),
    ]);
    const text = `${JSON.stringify(schemaForEditors(openRegistry(registriesOf(flags))), null, 2)}\n`;
    if (flags.out === undefined) return this.log(text.trimEnd());
    writeWhole(flags.out, text, OTHER_FILE);
    this.log(flags.out);
  }
}

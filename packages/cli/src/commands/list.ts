import { Args, Command, Flags } from '@oclif/core';
import { kinds, messageOf, openRegistry, type Manifest } from '@tweedie/core/registry';
import { bibliography } from '../bibliography.ts';
import { registriesOf, registryFlag } from '../registry-flag.ts';
import { columns, cost } from '../text.ts';

/** `tweedie list` lists the plugins; it reads manifests alone. */
export class List extends Command {
  static override summary =
    'List the plugins: engines, models, operators, guidance methods, schedulers, metrics, data sets.';
  static override examples = [
    '<%= config.bin %> list',
    '<%= config.bin %> list guidance',
    '<%= config.bin %> list --json',
    '<%= config.bin %> list --cite > tweedie.bib',
  ];
  static override args = { kind: Args.string({ options: [...kinds], description: 'only this kind' }) };
  static override flags = {
    ...registryFlag,
    json: Flags.boolean({ description: 'Print one JSON array.' }),
    cite: Flags.boolean({ description: 'Print the BibTeX of what they come from.' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(List);
    const { manifests, broken } = openRegistry(registriesOf(flags));
    for (const error of broken.values()) this.logToStderr(`Warning: ${messageOf(error)}`);
    const chosen = manifests.filter(({ kind }) => args.kind === undefined || kind === args.kind);
    if (flags.cite) return this.log(bibliography(this.config.version, chosen));
    if (flags.json) return this.log(JSON.stringify(chosen.map(entry), undefined, 2));
    for (const kind of kinds) {
      const rows = chosen
        .filter((manifest) => manifest.kind === kind)
        .map((manifest) => [manifest.id, manifest.title, cost(manifest)]);
      if (rows.length > 0) this.log(`${kind}\n${columns(rows)}\n`);
    }
    this.log('Details: tweedie info <kind/id>. Published weights, models of their own: tweedie checkpoint list');
  }
}

const entry = ({ kind, id, title, needs, provides, costPerStep, package: name, version }: Manifest) => ({
  kind,
  id,
  title,
  needs,
  provides,
  ...(costPerStep && { costPerStep }),
  package: name,
  version,
});

import { Args, Command, Flags } from '@oclif/core';
import {
  ConfigError,
  howToGet,
  kinds,
  mayHave,
  nearest,
  openRegistry,
  suggest,
  type Manifest,
  type Registry,
} from '@tweedie/core/registry';
import { registriesOf, registryFlag } from '../registry-flag.ts';
import { columns, cost, describeOptions } from '../text.ts';

/** `tweedie info` shows all that the manifest of one plugin says. */
export class Info extends Command {
  static override summary = 'Show one plugin: options with defaults and ranges, presets, needs, cost, citation.';
  static override examples = [
    '<%= config.bin %> info guidance/dps',
    '<%= config.bin %> info inpaint',
    '<%= config.bin %> info operator/inpaint --json',
  ];
  static override args = {
    plugin: Args.string({ required: true, description: 'kind/id, or the id alone where only one kind has it' }),
  };
  static override flags = { ...registryFlag, json: Flags.boolean({ description: 'Print the manifest as JSON.' }) };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Info);
    const manifest = find(openRegistry(registriesOf(flags)), args.plugin);
    this.log(flags.json ? JSON.stringify(manifest, undefined, 2) : describe(manifest));
  }
}

/**
 * The plugin, or published checkpoint, that a user calls `kind/id`, or by its id alone. Throws ConfigError with the
 * nearest names.
 */
export const find = ({ manifests: plugins, cards, broken, refused }: Registry, name: string): Manifest => {
  const manifests = [...plugins, ...cards];
  const nameOf = ({ kind, id }: Manifest): string => `${kind}/${id}`;
  const found = manifests.filter((manifest) => nameOf(manifest) === name || manifest.id === name);
  if (found.length > 1)
    throw new ConfigError(name, 'is the id of several plugins.', `Choose: ${found.map(nameOf).join(', ')}.`);
  if (found[0]) return found[0];
  for (const [key, error] of broken) if (key === name || key.endsWith(`/${name}`)) throw error;
  const [kind = ''] = name.split('/');
  const among = kinds.some((known) => known === kind)
    ? manifests.filter((manifest) => manifest.kind === kind)
    : manifests;
  // An id alone is compared with ids alone: beside their kinds none would be near.
  const near = name.includes('/')
    ? []
    : nearest(
        name,
        among.map(({ id }) => id),
      );
  const meant = among.filter(({ id }) => near.includes(id)).map(nameOf);
  const hint =
    meant.length > 0
      ? `Did you mean ${meant.map((other) => JSON.stringify(other)).join(' or ')}?`
      : suggest(name, among.map(nameOf));
  throw new ConfigError(name, 'there is no such plugin.', `${hint}${mayHave(refused)}`);
};

const describe = (manifest: Manifest): string => {
  const { kind, id, title, source, needs, provides, options, presets = {}, tunable = {}, card } = manifest;
  const facts = [
    ['package', `${manifest.package} ${manifest.version}`],
    [
      'source',
      [source?.arxiv && `arXiv:${source.arxiv}`, source?.doi && `doi:${source.doi}`, source?.url, source?.where]
        .filter(Boolean)
        .join(', '),
    ],
    ['needs', needs.join(', ')],
    ['provides', provides.join(', ')],
    ['weights', card === undefined ? '' : howToGet(card)],
    ['licence', card?.licence ?? ''],
    ['schedule', card?.schedule ?? ''],
    ['note', card?.note ?? ''],
    ['files', manifest.fetch === undefined ? '' : `do not ship: npx tweedie fetch ${kind}/${id}`],
    ['cost', cost(manifest) && `${cost(manifest)}, with default options`],
  ].filter(([, value]) => value !== '');
  const described = describeOptions(options);
  const searched = Object.entries(tunable).map(([name, { from, to, scale }]) => [name, `${from} to ${to}`, scale]);
  const named = Object.entries(presets).map(([name, preset]) => [name, preset.title, JSON.stringify(preset.options)]);
  return [
    `${kind}/${id}: ${title}\n`,
    columns(facts.map(([name = '', value = '']) => [name, value])),
    `\nOPTIONS\n${described.length === 0 ? '  none' : described.join('\n')}`,
    ...(searched.length === 0 ? [] : [`\nTUNABLE (what tweedie tune searches)\n${columns(searched)}`]),
    ...(named.length === 0 ? [] : [`\nPRESETS (option "preset")\n${columns(named)}`]),
    ...(source?.bibtex === undefined ? [] : [`\nCITATION\n  ${source.bibtex}`]),
  ].join('\n');
};

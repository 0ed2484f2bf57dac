import { Args, Command, Flags } from '@oclif/core';
import { ConfigError, openRegistry, type Card } from '@tweedie/core/registry';
import { cardOf, listCards } from '../checkpoint/list.ts';
import { modelLine, modelLines } from '../checkpoint/recipe.ts';
import { registriesOf, registryFlag } from '../registry-flag.ts';
import { runLong } from '../run.ts';
import { columns } from '../text.ts';

const actions = ['list', 'inspect', 'get', 'convert'] as const;

/** `tweedie checkpoint`: published weights, what files of weights are, and files in another format. */
export class Checkpoint extends Command {
  static override summary = 'List and fetch published checkpoints, say what a file of weights is, convert it.';
  static override description = `list     the checkpoints that are known, by the ids that recipes name
get      fetch one into the cache folder (TWEEDIE_CACHE, or tweedie in XDG_CACHE_HOME, else in ~/.cache): what was broken off goes on, sizes and hashes are checked where they are known, the proxy is that of the environment (https_proxy); --from takes files that you have
inspect  what a file is (.pt, .pth, .ckpt of PyTorch, .pkl of NVlabs/edm, safetensors, a folder of diffusers), by its hash or tensors, and the lines of a recipe for it; what the tensors do not tell is listed
convert  what was read of it (averaged weights, prefixes taken off) as safetensors, with its card in the metadata
No code in a file is run.`;
  static override examples = [
    '<%= config.bin %> checkpoint list',
    '<%= config.bin %> checkpoint get edm-ffhq-64-vp',
    '<%= config.bin %> checkpoint get ffhq-256 --from ~/Downloads/ffhq_10m.pt',
    '<%= config.bin %> checkpoint inspect model.ckpt --image-size 64',
    '<%= config.bin %> checkpoint convert ffhq_10m.pt --out ffhq.safetensors --half',
  ];
  static override args = {
    action: Args.custom<(typeof actions)[number]>({ options: [...actions] })({
      required: true,
      description: 'what to do',
    }),
    what: Args.string({ description: 'get: the id of a card; inspect, convert: a file, or a folder of diffusers' }),
  };
  static override flags = {
    'image-size': Flags.integer({ min: 1, description: 'inspect: pixels of a side, where the tensors tell none.' }),
    from: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'PATH',
      description: 'get: a file that you have, or a folder with it; nothing is fetched then.',
    }),
    out: Flags.string({ helpValue: 'PATH', description: 'convert: the file to write; of a folder, a folder.' }),
    half: Flags.boolean({ description: 'convert: half floats.' }),
    card: Flags.string({ helpValue: 'ID', description: 'convert: the card of the checkpoint that it is.' }),
    json: Flags.boolean({ description: 'list, inspect: print all of it as JSON.' }),
    ...registryFlag,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Checkpoint);
    const { action, what } = args;
    const registry = openRegistry(registriesOf(flags));
    if (action === 'list') {
      const { table, json } = await listCards(registry);
      return this.log(flags.json ? JSON.stringify(json, undefined, 2) : `${table}\n\nIn a recipe: model: { id: <id> }`);
    }
    if (what === undefined)
      throw new ConfigError(
        `checkpoint ${action}`,
        action === 'get' ? 'which checkpoint is not said.' : 'which file is not said.',
        action === 'get'
          ? 'Say tweedie checkpoint get <id>; tweedie checkpoint list has the ids.'
          : `Say tweedie checkpoint ${action} <path>.`,
      );
    if (action === 'get') return this.fetchFiles(cardOf(what, registry), flags.from);
    const cards = registry.cards.flatMap(({ card }) => card ?? []);
    if (action === 'inspect') return this.inspect(what, cards, flags['image-size'], flags.json);
    if (flags.out === undefined)
      throw new ConfigError('checkpoint convert', 'where to write is not said.', 'Give --out <file>.safetensors.');
    const card = flags.card === undefined ? undefined : cardOf(flags.card, registry);
    return this.convert(what, flags.out, flags.half, cards, card);
  }

  private async fetchFiles(card: Card, from: readonly string[] | undefined): Promise<void> {
    const { getPublished } = await import('@tweedie/files');
    this.logToStderr(`${card.title}\nPublished at ${card.page}. Licence: ${card.licence}.`);
    if (card.commercial === 'forbidden') this.logToStderr('THIS LICENCE FORBIDS COMMERCIAL USE.');
    if (card.note !== undefined) this.logToStderr(card.note);
    const { folder, files } = await runLong(({ onProgress, signal }) =>
      getPublished(card, {
        ...(from && { from }),
        signal,
        onProgress: (progress) => onProgress({ phase: 'fetching', ...progress }),
      }),
    );
    const rows = files.map(({ name, sha256, checked, kept }) => [
      name,
      kept ? 'was there' : 'new',
      `SHA-256 ${sha256}`,
      checked ? 'as published' : 'none is published to compare it with',
    ]);
    this.log(`${columns(rows)}\n\nIn ${folder}. In a recipe:\n\n${modelLine({ id: card.id })}`);
  }

  private async inspect(path: string, cards: readonly Card[], imageSize?: number, json = false): Promise<void> {
    const { createFiles } = await import('@tweedie/files');
    const { inspectCheckpoint, recognised } = await import('@tweedie/networks');
    const { facts: _, ...found } = await inspectCheckpoint(path, createFiles(process.cwd()), imageSize).then(
      (each) => ({
        ...each,
        cards: recognised(each, path, cards).map(({ id }) => id),
      }),
    );
    if (json) return this.log(JSON.stringify(found, undefined, 2));
    const [first, ...others] = found.cards;
    const facts = [
      ['format', found.format],
      ['network', found.network],
      ['parameters', found.parameters?.toLocaleString('en-US') ?? ''],
      ['SHA-256', found.sha256 ?? ''],
      ['published as', others.length === 0 ? (first ?? '') : `one of ${found.cards.join(', ')}, by its tensors`],
      ...found.notes.map((note) => ['note', note]),
    ].filter(([, value]) => value !== '');
    const { weights, folder } = found.model.options;
    if (first !== undefined && others.length === 0) {
      const options = weights === undefined ? { folder } : { weights };
      return this.log(`${columns(facts)}\n\n${modelLine({ id: first, options })}`);
    }
    const asked = found.asked.map(([name, why]) => [name, why]);
    this.log(
      [
        columns(facts),
        `\n${modelLines(found.model)}`,
        ...(asked.length === 0 ? [] : [`\nTo be added or checked, for the file does not say:\n${columns(asked)}`]),
      ].join('\n'),
    );
  }

  private async convert(path: string, out: string, half: boolean, cards: readonly Card[], given?: Card): Promise<void> {
    const { convertFile } = await import('../checkpoint/convert.ts');
    const { model, notes, written } = await runLong(({ signal }) =>
      convertFile({ path, out, half, cards, given, signal }),
    );
    for (const note of notes) this.logToStderr(`Note: ${note}.`);
    this.log(`${written}\n\n${modelLine(model)}`);
  }
}

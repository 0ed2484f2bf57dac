import { ConfigError } from '@tweedie/core/registry';

/** One name in the three spellings that a plugin uses: ids and folders, factories, types. */
export type Spellings = { readonly kebab: string; readonly camel: string; readonly pascal: string };

export const spellingsOf = (id: string): Spellings => {
  const camel = id.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
  return { kebab: id, camel, pascal: camel.charAt(0).toUpperCase() + camel.slice(1) };
};

/** Words that cannot name a constant of a module (ECMA-262, 12.7.2, strict mode). */
const reserved = new Set(
  'arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for function if implements import in instanceof interface let new null package private protected public return static super switch this throw true try typeof undefined var void while with yield'.split(
    ' ',
  ),
);

/** Throws a ConfigError unless `id` can name a plugin, its folder and its factory. */
export const checkId = (kind: string, id: string): void => {
  const refuse = (what: string, remedy: string): never => {
    throw new ConfigError(`${kind}/${id}`, what, remedy);
  };
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(id))
    refuse(
      `${JSON.stringify(id)} is not an id.`,
      'Ids are small letters and digits, with single dashes between words: my-thing.',
    );
  if (/^\d/.test(id))
    refuse('the factory is named after the id, and no name begins with a digit.', 'Begin with a letter.');
  if (id.startsWith(`${kind}-`)) refuse('repeats its kind.', `Say tweedie new ${kind} ${id.slice(kind.length + 1)}.`);
  if (id === 'example') refuse('is the name of the template.', 'Choose another id.');
  if (reserved.has(id))
    refuse('the factory is named after the id, and JavaScript keeps this word to itself.', 'Choose another id.');
};

/**
 * The text of a template with another name: `Example` is the Pascal spelling; `example` the kebab one after a slash, a
 * dash or the key `id`, else the camel one.
 */
export const rename = (text: string, { kebab, camel, pascal }: Spellings): string =>
  text
    .replace(/Example/g, pascal)
    .replace(/(?<=[/-]|\bid: '?|"id": ")example\b/g, kebab)
    .replace(/\bexample\b/g, camel);

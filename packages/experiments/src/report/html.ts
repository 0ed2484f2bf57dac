/** A piece of HTML whose strings are already escaped. Made by `html` and `raw` only. */
export type Html = { readonly markup: string };
export type HtmlPart = string | number | Html | null | undefined | readonly HtmlPart[];

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character] ?? '');

/** Trusted markup: our own constants, and SVG serialised by a DOM. Never a string that came from data. */
export const raw = (markup: string): Html => ({ markup });

/**
 * Template for HTML: every string put into it is escaped, in text and in quoted attributes alike. `null` is nothing.
 */
export function html(texts: TemplateStringsArray, ...parts: readonly HtmlPart[]): Html {
  return raw(texts.map((text, index) => (index === 0 ? '' : markupOf(parts[index - 1])) + text).join(''));
}

function markupOf(part: HtmlPart): string {
  if (part === null || part === undefined) return '';
  if (typeof part === 'string') return escapeHtml(part);
  if (typeof part === 'number') return String(part);
  if ('markup' in part) return part.markup;
  return part.map(markupOf).join('');
}

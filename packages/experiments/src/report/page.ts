import { html, raw, type Html, type HtmlPart } from './html.ts';
import { style } from './style.ts';

type Page = {
  readonly title: string;
  readonly body: Html;
  /** Style rules after the common ones; our own, never data. */
  readonly css?: string;
  /** Our own script, and its SHA-256 in base64. */
  readonly script?: { readonly text: string; readonly hash: string };
};

/**
 * A whole HTML file that needs nothing else: its content security policy forbids every request, and every script but
 * `script`.
 */
export function page({ title, body, css = '', script }: Page): string {
  const policy = [
    `default-src 'none'`,
    `img-src data:`,
    `style-src 'unsafe-inline'`,
    ...(script ? [`script-src 'sha256-${script.hash}'`] : []),
    `base-uri 'none'`,
    `form-action 'none'`,
  ].join('; ');
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Tweedie</title>
<link rel="icon" href="data:,">
<style>${raw(style)}${raw(css)}</style>
</head>
<body>
${body}${
    script
      ? html`
<script>${raw(script.text)}</script>`
      : null
  }
</body>
</html>
`.markup;
}

/** Heading of a page: when it was made, what it is about, what its author says, and the command that makes it again. */
export const heading = ({
  kind,
  created,
  title,
  lead,
  notes = '',
  command,
}: {
  readonly kind: string;
  readonly created: string;
  readonly title: string;
  readonly lead: HtmlPart;
  readonly notes?: string;
  readonly command: string;
}): Html => html`<header>
<p class="eyebrow">${kind} · <time datetime="${created}">${created.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d).*Z$/, '$1, $2 UTC')}</time></p>
<h1>${title}</h1>
<p class="lead">${lead}</p>
${notes
  .split(/\n\s*\n/)
  .filter((text) => text.trim() !== '')
  .map((text) => html`<p>${text}</p>`)}
<pre><code>${command}</code></pre>
</header>`;

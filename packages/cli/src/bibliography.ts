import type { Manifest } from '@tweedie/core/registry';

/** Tweedie's own entry; CITATION.cff says the same. */
const ownEntry = (version: string): string =>
  `@misc{tweedie, title={Tweedie: training-free guidance of diffusion models on inverse problems, compared fairly}, author={{The Tweedie authors}}, note={Version ${version}}}`;

/** An entry for a source that has no BibTeX of its own. */
const entryOf = ({ kind, id, title, source = {} }: Manifest): string | undefined => {
  const { bibtex, arxiv, doi, url } = source;
  if (bibtex !== undefined) return bibtex;
  const place = [
    ...(arxiv === undefined ? [] : [`eprint={${arxiv}}, archivePrefix={arXiv}`]),
    ...(doi === undefined ? [] : [`doi={${doi}}`]),
    ...(url === undefined ? [] : [`howpublished={\\url{${url}}}`]),
  ];
  return place.length === 0 ? undefined : `@misc{${kind}-${id}, title={${title}}, ${place.join(', ')}}`;
};

/** An entry with a line for each field. */
const laidOut = (entry: string): string =>
  entry
    .trim()
    .replace(/,\s*(\w+)\s*=\s*\{/g, ',\n  $1 = {')
    .replace(/\}\s*\}$/, '},\n}');

/**
 * The BibTeX of Tweedie and of what plugins come from: each entry once, below the plugins that it stands for and the
 * place in it. What names no source is listed last.
 */
export const bibliography = (
  version: string,
  manifests: readonly Manifest[],
  unknown: readonly string[] = [],
): string => {
  const uses = new Map<string, string[]>([[ownEntry(version), ['% Tweedie']]]);
  for (const manifest of manifests) {
    const entry = entryOf(manifest);
    if (entry === undefined) continue;
    const { where } = manifest.source ?? {};
    const line = `% ${manifest.kind}/${manifest.id}${where === undefined ? '' : `: ${where}`}`;
    uses.set(entry, [...(uses.get(entry) ?? []), line]);
  }
  const without = manifests.filter((manifest) => entryOf(manifest) === undefined);
  const names = without.map(({ kind, id }) => `${kind}/${id}`);
  return [
    ...[...uses].map(([entry, lines]) => [...lines, laidOut(entry)].join('\n')),
    ...(names.length === 0 ? [] : [`% without a source: ${names.join(', ')}`]),
    ...(unknown.length === 0 ? [] : [`% in no registry that was read: ${unknown.join(', ')}`]),
  ].join('\n\n');
};

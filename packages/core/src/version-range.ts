type Version = readonly [major: number, minor: number, patch: number];

const parse = (text: string): Version | undefined => {
  const [, ...parts] = /^v?(\d+)(?:\.(\d+|x|\*))?(?:\.(\d+|x|\*))?(?:[-+].*)?$/.exec(text) ?? [];
  if (parts.length === 0) return undefined;
  const [major = 0, minor = 0, patch = 0] = parts.map((part) => (/^\d+$/.test(part ?? '') ? Number(part) : 0));
  return [major, minor, patch];
};

const compare = (a: Version, b: Version): number => a[0] - b[0] || a[1] - b[1] || a[2] - b[2];

/** The version before which a caret range ends: the next of the leftmost number that is not 0. */
const afterCaret = ([major, minor, patch]: Version): Version =>
  major > 0 ? [major + 1, 0, 0] : minor > 0 ? [0, minor + 1, 0] : [0, 0, patch + 1];

/** Whether a version is within one comparator; undefined where that is in no form that is known here. */
const holds = (comparator: string, version: Version): boolean | undefined => {
  if (comparator === '' || comparator === '*' || comparator === 'x') return true;
  const [, operator = '', text = ''] = /^(\^|~|>=|<=|>|<|=)?\s*(.*)$/.exec(comparator) ?? [];
  const bound = parse(text);
  if (bound === undefined) return undefined;
  const order = compare(version, bound);
  const [, minor, patch] = text.split('.');
  const open = [minor, patch].findIndex((part) => part === undefined || !/^\d/.test(part));
  switch (operator) {
    case '^':
      return order >= 0 && compare(version, open === 0 ? [bound[0] + 1, 0, 0] : afterCaret(bound)) < 0;
    case '~':
      return order >= 0 && compare(version, open === 0 ? [bound[0] + 1, 0, 0] : [bound[0], bound[1] + 1, 0]) < 0;
    case '>=':
      return order >= 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '<':
      return order < 0;
    default:
      return open < 0
        ? order === 0
        : order >= 0 && compare(version, open === 0 ? [bound[0] + 1, 0, 0] : [bound[0], bound[1] + 1, 0]) < 0;
  }
};

/**
 * Whether a version satisfies a range of npm: `^0.1.0`, `~0.1`, `0.1.x`, `>=0.1.0 <0.3.0 || 1.0.0`. What is in no such
 * form (a folder, an address, a tag) is taken as satisfied: npm has decided there.
 */
export const satisfies = (version: string, range: string): boolean => {
  const own = parse(version);
  if (own === undefined) return true;
  return range.split('||').some((part) => {
    const comparators = part
      .trim()
      .replaceAll(/(\^|~|>=|<=|>|<|=)\s+/g, '$1')
      .split(/\s+/);
    return comparators.every((comparator) => holds(comparator, own) ?? true);
  });
};

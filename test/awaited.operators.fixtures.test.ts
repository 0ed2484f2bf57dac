/** Measurements of operators that are not plugins yet. */
import { fixtureReport } from '@tweedie/testing/fixtures';

type Index = { readonly pictures: Readonly<Record<string, Readonly<Record<string, object>>>> };

const tested = [/^(image|mask|gray)$/, /^(bicubic|gaussian|motion|anisotropic|anisotropic-conv)\d+$/];
const known = ['hadamard', 'phase', 'hdr'];
const report = fixtureReport('operators', 'awaited');
const cases = Object.entries(report.index<Index>('index.json', { pictures: {} }).pictures).flatMap(
  ([picture, operators]) =>
    Object.keys(operators)
      .filter((name) => !tested.some((pattern) => pattern.test(name)))
      .map((name) => ({ id: `${picture} ${name}`, operator: name.replace(/\d+$/, '') })),
);
for (const operator of new Set([...known, ...cases.map((one) => one.operator)])) {
  report.awaits(
    `operator/${operator}`,
    cases.filter((one) => one.operator === operator).map(({ id }) => id),
  );
}

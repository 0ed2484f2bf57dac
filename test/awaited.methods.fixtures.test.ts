/**
 * Golden steps of methods that are not plugins yet: listed, so that none is forgotten. Another set of fixtures may hold
 * more of them.
 */
import { fixtureReport, hasFixture, readFixtureJson } from '@tweedie/testing/fixtures';

const methods = {
  ddnm: 'ddnm',
  ddrm: 'ddrm',
  diffpir: 'diffpir',
  fps: 'fps',
  lgd: 'lgd',
  mcg: 'mcg',
  mcgdiff: 'mcgdiff',
  mpgd: 'mpgd',
  pgdm: 'pgdm',
  psplus: 'ps-plus',
  reddiff: 'red-diff',
  tmpd: 'tmpd',
};

const report = fixtureReport('methods', 'awaited');
for (const [file, id] of Object.entries(methods)) {
  const listed = hasFixture('methods', `${file}.json`);
  const { cases } = listed
    ? readFixtureJson<{ cases: readonly { readonly id: string }[] }>('methods', `${file}.json`)
    : { cases: [] };
  report.awaits(
    `guidance/${id}`,
    cases.map((one) => `${file} ${one.id}`),
  );
}

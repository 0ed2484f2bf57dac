/** Values of a metric that is not a plugin yet. */
import { fixtureReport, readFixtureJson } from '@tweedie/testing/fixtures';

type Pair = { readonly image: string; readonly reference: string; readonly lpips64?: number };

const { pairs, out_of_range: outOfRange } = readFixtureJson<{ pairs: readonly Pair[]; out_of_range?: Pair }>(
  'metrics',
  'metrics.json',
);
const scored = [...pairs, ...(outOfRange ? [outOfRange] : [])].filter(({ lpips64 }) => lpips64 !== undefined);
fixtureReport('metrics', 'awaited').awaits(
  'metric/lpips',
  scored.map(({ image, reference }) => `${image} against ${reference}`),
);

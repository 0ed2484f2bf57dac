/** Values of a metric that is not a plugin yet. */
import { fixtureReport } from '@tweedie/testing/fixtures';

type Pair = { readonly image: string; readonly reference: string; readonly lpips64?: number };

type Index = { pairs: readonly Pair[]; out_of_range?: Pair };
const report = fixtureReport('metrics', 'awaited');
const { pairs, out_of_range: outOfRange } = report.index<Index>('metrics.json', { pairs: [] });
const scored = [...pairs, ...(outOfRange ? [outOfRange] : [])].filter(({ lpips64 }) => lpips64 !== undefined);
report.awaits(
  'metric/lpips',
  scored.map(({ image, reference }) => `${image} against ${reference}`),
);

import { CancelledError, type Manifest, type RegistryOptions } from '@tweedie/core/registry';
import type { MeasuredRow, Sheet } from '@tweedie/experiments';
import { columns } from '../text.ts';
import { needing, onOneLine } from './outcome.ts';
import { checkTypes } from './types.ts';

/** Types where TypeScript is installed, the kit, and the suite of known posteriors; needs no test runner. */
export const sheetOf = async (manifest: Manifest, registries: RegistryOptions, signal: AbortSignal): Promise<Sheet> => {
  const { kind, id, title, package: name, version } = manifest;
  const [{ runKit }, { measureMethod, tweedieVersion }] = await Promise.all([
    needing(() => import('@tweedie/testing/kit')),
    import('@tweedie/experiments'),
  ]);
  const types = (await checkTypes(manifest)).map(({ state, says }) => ({
    name: state === 'ok' ? `types are sound: ${says}` : 'types are sound',
    ...(state === 'ok' ? {} : { failure: says }),
  }));
  const blocks: Sheet['blocks'][number][] = [{ title: 'types', checks: types }];
  for await (const block of runKit(manifest)) {
    if (signal.aborted) throw new CancelledError('Stopped.');
    const failures = new Map(block.failures.map((one) => [one.name, onOneLine(one.message)]));
    const checks = block.checks.map((check) => {
      const failure = failures.get(check);
      return { name: check, ...(failure === undefined ? {} : { failure }) };
    });
    blocks.push({ title: block.title, checks });
  }
  return {
    plugin: { kind, id, title, package: `${name} ${version}` },
    tweedie: tweedieVersion,
    created: new Date().toISOString(),
    command: `npx tweedie check ${kind}/${id} --sheet`,
    blocks,
    ...(kind === 'guidance' ? { measured: await measureMethod(manifest, registries, { signal }) } : {}),
  };
};

/** A sheet for a terminal. */
export const showSheet = ({ blocks, measured }: Sheet): string =>
  [
    ...blocks.map(({ title, checks }) =>
      [
        title,
        ...checks.map(({ name, failure }) =>
          failure === undefined ? `  ok      ${name}` : `  failed  ${name}: ${failure}`,
        ),
      ].join('\n'),
    ),
    ...(measured === undefined ? [] : [suite(measured)]),
  ].join('\n\n');

const suite = (rows: readonly MeasuredRow[]): string => {
  const cells = rows.map(({ problem, label, distance, misfit, cost, why }) =>
    cost === null
      ? [problem, label, why ?? 'cannot work with this problem']
      : [
          problem,
          label,
          `W1 ${distance?.mean.toFixed(2) ?? '-'} (draws ${distance?.iid?.low.toFixed(2) ?? '-'} to ${distance?.iid?.high.toFixed(2) ?? '-'})`,
          `misfit ${misfit?.toFixed(2) ?? '-'}`,
          `${cost.forwards} forwards, ${cost.vjps} vjps`,
          `${(1000 * cost.seconds).toFixed(2)} ms a sample`,
        ],
  );
  return `on known posteriors (sliced W1 in units of independent draws, default options, 100 steps)\n${columns(cells)}`;
};

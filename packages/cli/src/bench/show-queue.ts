import type { QueueBench, WorkersBench } from '@tweedie/queue';

/** A table of right-aligned columns; null is empty. */
const columns = (
  heads: readonly string[],
  rows: readonly (readonly (readonly [value: number | null, digits: number])[])[],
): readonly string[] => [
  heads.map((head) => `  ${head}`).join(''),
  ...rows.map((row) =>
    row.map(([value, digits], i) => (value?.toFixed(digits) ?? '').padStart((heads[i]?.length ?? 0) + 2)).join(''),
  ),
];

export const showQueueBench = ({ place, rows }: QueueBench): string =>
  [
    `Chunks that draw nothing, through ${place} and a folder, both sides in one process`,
    '',
    ...columns(
      [' chunks', 'seconds', 'ms of a core each', 'of the server', 'MB at the server'],
      rows.map(({ chunks, seconds, cpuPerChunk, serverPerChunk, megabytes }) => [
        [chunks, 0],
        [seconds, 1],
        [cpuPerChunk, 2],
        [serverPerChunk, 2],
        [megabytes, 1],
      ]),
    ),
  ].join('\n');

const percent = (share: number | null): number | null => (share === null ? null : 100 * share);

export const showWorkersBench = ({ place, rows }: WorkersBench): string =>
  [
    `Workers that draw nothing, at ${place}, in processes of 250; one process compares, nothing is stored`,
    '',
    ...columns(
      [
        'workers',
        'connections',
        '    MB',
        'arrive s',
        'idle %',
        'chunks/s',
        'taken/s',
        'server %',
        'compare %',
        'server ms each',
      ],
      rows.map((row) => [
        [row.workers, 0],
        [row.connections, 0],
        [row.megabytes, 1],
        [row.arrival, 1],
        [percent(row.idle), 1],
        [row.drawn, 0],
        [row.taken, 0],
        [percent(row.server), 0],
        [percent(row.compares), 0],
        [row.serverPerChunk, 2],
      ]),
    ),
    '',
    'connections, MB: of the server for the workers. arrive s: until all, started at once, are at work. idle %: of a core of the',
    'server while nothing is to be done. chunks/s: that workers finished; taken/s: that the process which compares took.',
    'server %, compare %: of a core of each meanwhile. Where the one is far from 100, it was this machine that was full.',
  ].join('\n');

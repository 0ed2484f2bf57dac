import type { QueueBench } from '@tweedie/queue';

export const showQueueBench = ({ place, rows }: QueueBench): string =>
  [
    `Chunks that draw nothing, through ${place} and a folder, both sides in one process`,
    '',
    '  chunks   seconds   ms of a core each   of the server   MB at the server',
    ...rows.map(({ chunks, seconds, cpuPerChunk, serverPerChunk, megabytes }) =>
      [
        String(chunks).padStart(8),
        seconds.toFixed(1).padStart(10),
        cpuPerChunk.toFixed(2).padStart(20),
        (serverPerChunk?.toFixed(2) ?? '').padStart(16),
        (megabytes?.toFixed(1) ?? '').padStart(19),
      ].join(''),
    ),
  ].join('\n');

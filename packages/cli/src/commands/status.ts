import { Args, Command, Flags } from '@oclif/core';
import type { RunStatus } from '@tweedie/queue';
import { queueEnvironment, queueOf } from '../queue-flags.ts';

/** `tweedie status` says what goes on at a queue. */
export class Status extends Command {
  static override summary = 'Show the runs at a queue: how far they are, who draws what, and when they are done.';
  static override description = queueEnvironment;
  static override examples = ['<%= config.bin %> status redis://lab:6379', '<%= config.bin %> status --json'];
  static override args = { queue: Args.string({ description: 'URL of Redis or PostgreSQL; default TWEEDIE_QUEUE' }) };
  static override flags = { json: Flags.boolean({ description: 'Print one JSON array.' }) };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Status);
    const { queueStatus } = await import('@tweedie/queue');
    const runs = await queueStatus(queueOf(args.queue));
    if (flags.json) this.log(JSON.stringify(runs, undefined, 2));
    else this.log(runs.length === 0 ? 'No run is announced.' : runs.map(show).join('\n\n'));
  }
}

const minutes = (seconds: number): string =>
  seconds < 90
    ? `${seconds.toFixed(0)} s`
    : seconds < 5400
      ? `${(seconds / 60).toFixed(0)} min`
      : `${(seconds / 3600).toFixed(1)} h`;

const stateOf = ({ cancelled, compared, host }: RunStatus): string =>
  cancelled
    ? 'cancelled'
    : compared
      ? `compared on ${host}`
      : `its command on ${host} is not running: results wait in the store`;

const show = (status: RunStatus): string => {
  const { run, title, store, chunks, done, waiting, failed, needs, active, perMinute, secondsLeft } = status;
  const pace =
    perMinute === null || secondsLeft === null
      ? ''
      : `, ${perMinute.toPrecision(2)} a minute, ${minutes(secondsLeft)} left`;
  return [
    `run ${run}  ${title}  (${stateOf(status)})`,
    `  ${done} of ${chunks} chunks done, ${active.length} at work, ${waiting} waiting${failed > 0 ? `, ${failed} failed` : ''}${pace}`,
    ...needs.flatMap((need) =>
      need.waiting === 0 || need.active > 0
        ? []
        : [
            `  ${need.waiting} of those that wait need${need.waiting === 1 ? 's' : ''} ${(need.bytes / 1e9).toPrecision(2)} GB of memory for each, and no worker is at one`,
          ],
    ),
    `  results in ${store}`,
    ...active.map(
      ({ worker, chunk, step, of, seconds }) =>
        `  ${worker}  ${chunk.slice(0, 14)}  ${step === null || of === null ? '' : `step ${step} of ${of}, `}${minutes(seconds)}`,
    ),
  ].join('\n');
};

import type { Progress } from '@tweedie/experiments';
import { SingleBar } from 'cli-progress';

export type ProgressDisplay = { show(progress: Progress): void; stop(): void };

/** Shows progress on a stream: a bar on a terminal; elsewhere a line per phase, message and quarter of the way. */
export const progressOn = (stream: NodeJS.WriteStream): ProgressDisplay =>
  stream.isTTY ? bars(stream) : lines(stream);

const bars = (stream: NodeJS.WriteStream): ProgressDisplay => {
  let bar: SingleBar | undefined;
  let phase = '';
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
  };
  return {
    show(event) {
      if (event.phase !== phase) stop();
      phase = event.phase;
      const note = event.label ?? event.message ?? '';
      if (bar === undefined) {
        bar = new SingleBar({
          stream,
          format: '{phase} {bar} {percentage} %  {eta_formatted} left  {note}',
          hideCursor: true,
          clearOnComplete: true,
          gracefulExit: false,
        });
        bar.start(event.total, event.done, { phase, note });
      } else {
        bar.setTotal(event.total);
        bar.update(event.done, { phase, note });
      }
    },
    stop,
  };
};

const lines = (stream: NodeJS.WriteStream): ProgressDisplay => {
  let last = '';
  return {
    show({ phase, message, done, total, label }) {
      const percent = total > 0 ? Math.floor((100 * done) / total) : 100;
      const key = [phase, message ?? '', Math.floor(percent / 25)].join('\n');
      if (key === last) return;
      last = key;
      stream.write(
        `${[`${phase} ${percent} %`, message, label].filter((part) => part !== undefined && part !== '').join('  ')}\n`,
      );
    },
    stop: () => undefined,
  };
};

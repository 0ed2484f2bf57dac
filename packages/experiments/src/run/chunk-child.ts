/**
 * The child process that draws chunks: nothing but this file runs in it, started by `chunk-worker.ts`. ONNX Runtime
 * blocks the thread while it computes, so that whatever must answer at once lives in the parent.
 */
import type { Asked, Told } from './chunk-messages.ts';
import { chunkOpener } from './chunk-setup.ts';
import type { ChunkRunner } from './chunk-runner.ts';
import { tellError } from './told-error.ts';

/** Milliseconds between two messages about steps, which in a small run are thousands a second. */
const PACE = 50;

// Ctrl-C reaches every process of a terminal, and what is drawn is kept or left by the parent, which ends this one.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit());
// Deep enough to reach a plugin's line through TensorFlow.js.
Error.stackTraceLimit = 50;

const tell = (told: Told): void => void process.send?.(told);
const opener = chunkOpener((message) => tell({ kind: 'warning', message }));
let runner: ChunkRunner | undefined;

const answer = async (asked: Asked): Promise<Told> => {
  if (asked.kind === 'setup') {
    const opened = await opener.open(asked.setup);
    runner = opened.runner;
    return { kind: 'ready', facts: opened.facts };
  }
  if (runner === undefined) throw new Error('a task came before its setup.');
  let last = 0;
  const onStep = (done: number, total: number): void => {
    const now = performance.now();
    if (now - last < PACE) return;
    last = now;
    tell({ kind: 'step', done, total, memory: process.memoryUsage.rss() });
  };
  return { kind: 'result', result: await runner.draw(asked.task, { onStep }) };
};

process.on('message', (asked: Asked) => {
  answer(asked).then(tell, (error: unknown) => tell({ kind: 'error', error: tellError(error) }));
});

/**
 * Where values come from, for `explain`: the kernel that made them, and the line of the user's code that asked for it.
 */
import { withDeepStacks } from '@tweedie/core';
import type { Source } from '../graph/graph.ts';
import { sourceLine } from './source-line.ts';
import { followingTape } from './tape.ts';

/** Gives the source of the kernel that is running. */
export type SourceOf = (kernel: string) => Source;

/**
 * Runs `body` with a function that gives the source of the running kernel. A gradient has the source of its operation,
 * unless the user wrote the gradient and it has lines itself.
 */
export function withSources<T>(body: (sourceOf: SourceOf) => T): T {
  let latest: Source | undefined;
  let forward: Source | undefined;
  const sourceOf: SourceOf = (kernel) => {
    const operation = forward;
    const line = sourceLine(operation && (() => `gradient of ${operation.line()}`));
    let known: string | undefined;
    return (latest = { kernel, line: () => (known ??= line()) });
  };
  const within = <R>(source: Source | undefined, gradient: () => R): R => {
    const outer = forward;
    forward = source;
    try {
      return gradient();
    } finally {
      forward = outer;
    }
  };
  return followingTape(
    () => latest,
    within,
    () => withDeepStacks(() => body(sourceOf)),
  );
}

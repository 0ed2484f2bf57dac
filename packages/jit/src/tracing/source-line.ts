/**
 * Where in the user's code something was traced: the first frame of a stack that is neither TensorFlow.js, nor Node,
 * nor this package.
 */
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Frame, showFrame, stackFrames } from '@tweedie/core';

/**
 * Frames of a stack to keep: from a kernel back to the line that called its operation are about twenty, through
 * gradients more.
 */
const FRAMES = 80;

const here = dirname(fileURLToPath(import.meta.url));
const ownPackage = dirname(here);
/** Files of TensorFlow.js, also as Node's source maps show them, where its authors had them. */
const TENSORFLOW = /[\\/]node_modules[\\/]@tensorflow[\\/]|[\\/]tfjs-[\w-]+[\\/]src[\\/]/;
/** The files of core with chained methods and gradients, which stand between the user and TensorFlow.js. */
const between = /[\\/]core[\\/](src|dist)[\\/](chained|gradients|corrected-gradients)\.[jt]s$/;
/**
 * The path of tape.ts, which calls the gradients of operations: frames beyond it are those of the caller who took the
 * gradient.
 */
const tape = join(here, 'tape');

const isUsers = ({ file }: Frame): boolean =>
  isAbsolute(file) && !TENSORFLOW.test(file) && !file.startsWith(ownPackage) && !between.test(file);

function userLine(stack: string, outsideGradient?: () => string): string {
  const frame = stackFrames(stack).find(
    (it) => isUsers(it) || (outsideGradient !== undefined && it.file.startsWith(tape)),
  );
  if (frame === undefined) return 'an unknown line';
  return outsideGradient !== undefined && !isUsers(frame) ? outsideGradient() : showFrame(frame);
}

/** Runs `body` with stacks that are deep enough to reach the user's code. */
export function withDeepStacks<T>(body: () => T): T {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = Math.max(limit, FRAMES);
  try {
    return body();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/**
 * The line of the user's code that is running, as `folder/file.ts:12`. The stack is taken at once, which is cheap; it
 * is turned into text, with source maps, when the line is asked for. Where the gradient of an operation is running that
 * has no line of the user's in it, `outsideGradient` says what to give.
 */
export function sourceLine(outsideGradient?: () => string): () => string {
  const taken = withDeepStacks(() => new Error());
  return () => userLine(taken.stack ?? '', outsideGradient);
}

/**
 * The line of the user's code in which TensorFlow.js refused something; undefined where another program threw the
 * error.
 */
export function refusedAt(error: Error): string | undefined {
  const stack = error.stack ?? '';
  const [thrower] = stackFrames(stack);
  return thrower !== undefined && TENSORFLOW.test(thrower.file) ? userLine(stack) : undefined;
}

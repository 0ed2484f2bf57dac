/**
 * Where in the user's code something was traced: the first frame of a stack that is neither TensorFlow.js, nor Node,
 * nor this package.
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Frame, stackFrames, isOfTensorFlow, isUsers, showFrame, withDeepStacks } from '@tweedie/core';

const here = dirname(fileURLToPath(import.meta.url));
const ownPackage = dirname(here);
/**
 * The path of tape.ts, which calls the gradients of operations: frames beyond it are those of the caller who took the
 * gradient.
 */
const tape = join(here, 'tape');

const isUsersHere = (frame: Frame): boolean => isUsers(frame) && !frame.file.startsWith(ownPackage);

function userLine(stack: string, outsideGradient?: () => string): string {
  const frame = stackFrames(stack).find(
    (it) => isUsersHere(it) || (outsideGradient !== undefined && it.file.startsWith(tape)),
  );
  if (frame === undefined) return 'an unknown line';
  return outsideGradient !== undefined && !isUsersHere(frame) ? outsideGradient() : showFrame(frame);
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
  return thrower !== undefined && isOfTensorFlow(thrower) ? userLine(stack) : undefined;
}

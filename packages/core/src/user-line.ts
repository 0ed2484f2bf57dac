/** Where in the user's code something happened: frames of a stack, and which of them are TensorFlow.js. */
import { isAbsolute } from 'node:path';
import type { Frame } from './plugin-fault.ts';

/**
 * Frames of a stack to keep: from a kernel back to the line that called its operation are about twenty, through
 * gradients more.
 */
const FRAMES = 80;

/** Files of TensorFlow.js, also as Node's source maps show them, where its authors had them. */
const TENSORFLOW = /[\\/]node_modules[\\/]@tensorflow[\\/]|[\\/]tfjs-[\w-]+[\\/]src[\\/]/;
/** The files of core with chained methods, gradients and refusals, which stand between the user and TensorFlow.js. */
const between = /[\\/]core[\\/](src|dist)[\\/](chained|gradients|corrected-gradients|hidden-inputs|user-line)\.[jt]s$/;

/** Whether a frame is one of core that stands between the user and TensorFlow.js. */
export const isBetween = ({ file }: Frame): boolean => between.test(file);

export const isOfTensorFlow = ({ file }: Frame): boolean => TENSORFLOW.test(file);

/** Whether a frame is neither of Node, nor of TensorFlow.js, nor of what stands before it. */
export const isUsers = (frame: Frame): boolean => isAbsolute(frame.file) && !isOfTensorFlow(frame) && !isBetween(frame);

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

/** Refuses random numbers that a compiled function makes itself: they would be constants of its graph. */
import { ConfigError } from './errors.ts';
import { tf } from './tensorflow.ts';
import { showFrame, stackFrames } from './plugin-fault.ts';
import { isUsers, withDeepStacks } from './user-line.ts';

/** Operations of TensorFlow.js that draw; a seed makes their numbers the same in every call, which is no better. */
const drawing = new Set([
  'multinomial',
  'randomGamma',
  'randomNormal',
  'randomStandardNormal',
  'randomUniform',
  'randomUniformInt',
  'truncatedNormal',
]);

/** What TensorFlow.js adds to the name of an operation to name its scope. */
const SCOPE = /__op$/;

function refuse(what: string): never {
  const stack = withDeepStacks(() => new Error().stack ?? '');
  const frame = stackFrames(stack).find(isUsers);
  throw new ConfigError(
    'engine.compile',
    `${what}, called at ${frame === undefined ? 'an unknown line' : showFrame(frame)}, draws random numbers in a compiled function, which would be drawn once and used in every call.`,
    'Draw them in `step`, with `random.normal` or `random.uniform` of the StepRandom that it is given, and pass them to the compiled function as an argument.',
  );
}

/**
 * Runs the body of a compiled function, which must be synchronous, and throws a ConfigError with the user's line where
 * it draws random numbers, by Math.random or by an operation of TensorFlow.js.
 */
export function withoutRandomness<T>(body: () => T): T {
  const engine = tf.engine();
  const { random } = Math;
  const startScope = engine.startScope;
  Math.random = () => refuse('Math.random');
  engine.startScope = (name?: string): void => {
    const operation = name?.replace(SCOPE, '');
    if (operation !== undefined && operation !== name && drawing.has(operation)) refuse(`tf.${operation}`);
    startScope.call(engine, name);
  };
  try {
    return body();
  } finally {
    engine.startScope = startScope;
    Math.random = random;
  }
}

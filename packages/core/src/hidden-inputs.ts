/** Refuses numbers that a compiled function takes from chance or a clock: they would be constants of its graph. */
import { ConfigError } from './errors.ts';
import { tf } from './tensorflow.ts';
import { showFrame, stackFrames, type Frame } from './plugin-fault.ts';
import { isBetween, isUsers, withDeepStacks } from './user-line.ts';

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

function refuse(what: string, frame: Frame | undefined, why: string, remedy: string): never {
  const place = frame === undefined ? 'an unknown line' : showFrame(frame);
  throw new ConfigError('engine.compile', `${what}, called at ${place}, ${why}`, remedy);
}

const frames = (): readonly Frame[] => stackFrames(withDeepStacks(() => new Error().stack ?? ''));

const refuseDrawing = (what: string): never =>
  refuse(
    what,
    frames().find(isUsers),
    'draws random numbers in a compiled function, which would be drawn once and used in every call.',
    'Draw them in `step`, with `random.normal` or `random.uniform` of the StepRandom that it is given, and pass them to the compiled function as an argument.',
  );

/**
 * Refuses a clock that the user's own line reads. TensorFlow.js times its kernels while it profiles, and Node has uses
 * of its own: what they read goes into no graph.
 */
const refuseClock = (what: string): void => {
  const caller = frames().find((frame) => !isBetween(frame));
  if (caller === undefined || !isUsers(caller)) return;
  refuse(
    what,
    caller,
    'reads the clock in a compiled function, which would be read once and used in every call.',
    'Read it in `step`, and pass the number to the compiled function as an argument.',
  );
};

const clocks: readonly (readonly [name: string, holder: object, key: string])[] = [
  ['Date.now', Date, 'now'],
  ['performance.now', performance, 'now'],
  ['process.hrtime', process, 'hrtime'],
  ['process.hrtime.bigint', process.hrtime, 'bigint'],
  ['Date', globalThis, 'Date'],
];

/** Puts `value` in place of a property. Gives what puts things back. */
const replace = (holder: object, key: string, value: unknown): (() => void) => {
  const own = Object.getOwnPropertyDescriptor(holder, key);
  Object.defineProperty(holder, key, { configurable: true, writable: true, value });
  return () => {
    if (own) Object.defineProperty(holder, key, own);
    else Reflect.deleteProperty(holder, key);
  };
};

type Callable = { (...given: unknown[]): unknown; new (...given: unknown[]): object };

/** The same function, before whose calls `check` is asked; with `new`, only where it is given no arguments. */
const checked = (target: Callable, check: () => void): Callable =>
  new Proxy(target, {
    apply(called, self, given) {
      check();
      return Reflect.apply(called, self, given);
    },
    construct(called, given, newTarget) {
      if (given.length === 0) check();
      return Reflect.construct(called, given, newTarget) as object;
    },
  });

/**
 * Runs the body of a compiled function, which must be synchronous, and throws a ConfigError with the user's line where
 * it takes numbers that are no arguments of it: draws them, by Math.random or by an operation of TensorFlow.js, or
 * reads a clock.
 */
export function withoutHiddenInputs<T>(body: () => T): T {
  const engine = tf.engine();
  const startScope = engine.startScope;
  const restore = [
    replace(Math, 'random', () => refuseDrawing('Math.random')),
    replace(engine, 'startScope', (name?: string): void => {
      const operation = name?.replace(SCOPE, '');
      if (operation !== undefined && operation !== name && drawing.has(operation)) refuseDrawing(`tf.${operation}`);
      startScope.call(engine, name);
    }),
    ...clocks.map(([name, holder, key]) => {
      const clock = Reflect.get(holder, key) as Callable;
      return replace(
        holder,
        key,
        checked(clock, () => refuseClock(name)),
      );
    }),
  ];
  try {
    return body();
  } finally {
    for (const undo of restore.reverse()) undo();
  }
}

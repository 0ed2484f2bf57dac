/**
 * Sessions that nobody uses any more, kept for the next function that traces to the same graph: methods that differ in
 * numeric options alone do, for numbers among the arguments are inputs. Making a session costs seconds, tracing
 * milliseconds.
 */
import type { Model } from './encode.ts';
import { type Data, reachable, type Value } from '../graph/graph.ts';
import type { Session, SessionSettings } from './session.ts';

export interface SessionPool {
  /** How many sessions were made so far. */
  readonly made: number;
  /**
   * An idle session of this graph and these settings, or a new one. Before a new one is made all idle ones are
   * released: whoever compiles something new has moved on, and memory holds the sessions of one method at a time. Its
   * `dispose` makes it idle.
   */
  take(model: Model, settings: SessionSettings, make: () => Promise<Session>): Promise<Session>;
  /** Releases the idle sessions, and from then on every session at its `dispose`. */
  dispose(): void;
}

export function sessionPool(): SessionPool {
  const idle: { readonly key: string; readonly session: Session }[] = [];
  let made = 0;
  let closed = false;
  const release = (): void => {
    for (const { session } of idle.splice(0)) session.dispose();
  };
  return {
    get made() {
      return made;
    },
    async take(model, settings, make) {
      const key = `${JSON.stringify(settings)}\n${keyOf(model)}`;
      const position = idle.findIndex((kept) => kept.key === key);
      const [kept] = position < 0 ? [] : idle.splice(position, 1);
      if (kept === undefined) release();
      const session = kept?.session ?? (made++, await make());
      return { ...session, dispose: () => (closed ? session.dispose() : void idle.push({ key, session })) };
    },
    dispose() {
      closed = true;
      release();
    },
  };
}

/**
 * From this many numbers on, constants are weights, which never change: they are told apart by the array that holds
 * them.
 */
const SMALL = 1024;
const arrays = new WeakMap<Data, number>();
let arrayCount = 0;
const identityOf = (data: Data): string => {
  const known = arrays.get(data) ?? arrayCount++;
  arrays.set(data, known);
  return `array ${known}`;
};

// Hexadecimal bytes, since decimal numbers would not tell 0 from -0.
const hexOf = ({ buffer, byteOffset, byteLength }: Data): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('hex');

/** A text that is equal for equal graphs, whatever the ids of their values are. */
function keyOf({ inputs, outputs }: Model): string {
  const places = new Map<Value, number>();
  const described = reachable([...inputs, ...outputs]).map((value) => {
    places.set(value, places.size);
    const { source, shape, dtype } = value;
    const type = `${dtype} ${shape.join()}`;
    if (source.kind === 'input') return `${type} ${source.name}`;
    if (source.kind === 'constant')
      return `${type} ${source.data.length < SMALL ? hexOf(source.data) : identityOf(source.data)}`;
    return `${type} ${source.op} ${source.inputs.map((input) => places.get(input)).join()} ${JSON.stringify(source.attributes)}`;
  });
  return [...described, ...[inputs, outputs].map((values) => values.map((value) => places.get(value)).join())].join(
    '\n',
  );
}

/**
 * Follows the gradient tape of TensorFlow.js. What the tape computes on the way back belongs to the operation of which
 * it is the gradient, and the stack no longer shows that operation.
 */
import { tf } from '@tweedie/core';

type TapeNode = ReturnType<typeof tf.engine>['state']['activeTape'][number];
type AddTapeNode = (...args: unknown[]) => void;

/**
 * Runs `body`. The gradient of an operation that is called in it runs inside of `within`, which is given what `latest`
 * returned when the operation was put on the tape.
 */
export function followingTape<S, T>(latest: () => S, within: <R>(source: S, gradient: () => R) => R, body: () => T): T {
  const engine = tf.engine();
  const add: AddTapeNode = engine['addTapeNode'];
  const follow = (node: TapeNode | undefined): void => {
    const gradient = node?.gradient;
    if (node === undefined || gradient === undefined) return;
    const source = latest();
    node.gradient = (dys) => {
      const parts = within(source, () => gradient(dys));
      return Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, () => within(source, part)]));
    };
  };
  engine['addTapeNode'] = (...args: unknown[]): void => {
    add.apply(engine, args);
    follow(engine.state.activeTape.at(-1));
  };
  try {
    return body();
  } finally {
    engine['addTapeNode'] = add;
  }
}

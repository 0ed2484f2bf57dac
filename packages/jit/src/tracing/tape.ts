/**
 * Follows the gradient tape of TensorFlow.js: what it computes on the way back belongs to the operation that it is the gradient of, of which
 * nothing is on the stack any more.
 */
import { tf } from '@tweedie/core';

type TapeNode = ReturnType<typeof tf.engine>['state']['activeTape'][number];
type AddTapeNode = (...args: unknown[]) => void;

/** Runs `body`; in it, the gradient of an operation runs inside of `within`, which is given what `latest` said when the operation was taped. */
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

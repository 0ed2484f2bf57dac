import { type ScoreModel, type Tensor, tf } from '@tweedie/core';

/** A network that was read, and what a model has to say of its weights. */
export type LoadedNetwork<N> = {
  readonly network: N;
  /** SHA-256 of the file and of whatever else decides what the network is. */
  readonly hash: string;
  readonly tensors: Iterable<Tensor>;
};

/** What is read once, when it is wanted: the part of a model that has to do with its files. */
export function loadedOnce<N>(
  read: () => Promise<LoadedNetwork<N>>,
): { readonly network: () => N } & Required<Pick<ScoreModel, 'load' | 'weightsHash' | 'dispose'>> {
  let loaded: LoadedNetwork<N> | undefined;
  const ready = () => {
    if (loaded === undefined) throw new Error('model: load() has not been called.');
    return loaded;
  };
  return {
    network: () => ready().network,
    weightsHash: () => ready().hash,
    async load() {
      loaded ??= await read();
    },
    dispose() {
      if (loaded !== undefined) tf.dispose([...loaded.tensors]);
      loaded = undefined;
    },
  };
}

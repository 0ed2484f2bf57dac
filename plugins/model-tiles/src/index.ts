import { asReference, ConfigError, type ModelFactory, type PluginReference, type ScoreModel } from '@tweedie/core';
import { tiledModel } from './tiled.ts';

export type TilesOptions = {
  readonly model: string | PluginReference;
  /** The longest side of a tile in pixels. */
  readonly tile: number;
  /** Pixels that neighbouring tiles share at least. */
  readonly overlap: number;
  /** The grid lies at another place at each noise level. */
  readonly shift: boolean;
};

const where = 'model/tiles';

/**
 * A model of pictures of any size, seen through overlapping tiles of another one.
 *
 *   D(xt) = sum_i W_i D_tile(xt on tile i),    sum_i W_i = 1,    W_i raised cosines over what two tiles share
 *
 * for x0hat, epsilon and the fraction of the variance alike; x0hat and epsilon still make xt. Tiles lie on whole
 * multiples of what the network halves, and are as small as `tile` and `overlap` allow. One `predict` runs all of them,
 * some at a time; a gradient through a large picture computes each group again on its way back, for one more forward,
 * so that memory is that of one group whatever the picture. With `shift` the grid has another place at each noise
 * level, a function of sigma, as the patches of PaDIS have at each step (Hu et al. 2024, arXiv:2406.02462; there drawn,
 * without overlap, and with positions as an input of the network). Not the model itself: what a network
 * takes from the whole of its image, group norms above all, it takes here from a tile.
 * Throws ConfigError where the model knows one size, or the overlap is more than half a tile.
 */
export const tiles: ModelFactory<TilesOptions> = async (options, { plugin }) => {
  const { model: reference } = options;
  const named = asReference(reference);
  const { mixture: _, covariance: __, ...model } = await plugin('model', named);
  if (model.sizes === undefined)
    throw new ConfigError(
      where,
      `model/${named.id} takes images of ${model.imageShape.join(' x ')} alone.`,
      'Choose a model that takes any size, such as ddpm-vp with attention_resolutions: none.',
    );
  const { multipleOf } = model.sizes;
  const tile = Math.floor(options.tile / multipleOf) * multipleOf;
  const overlap = Math.ceil(options.overlap / multipleOf) * multipleOf;
  if (tile === 0 || overlap > tile / 2)
    throw new ConfigError(
      where,
      `an overlap of ${options.overlap} is more than half a tile of ${options.tile}, in multiples of ${multipleOf}.`,
      'Lower overlap, or raise tile.',
    );
  const tiling = { tile, overlap, multipleOf, shift: options.shift };
  const sizes: NonNullable<ScoreModel['sizes']> = {
    multipleOf,
    forShape: (shape) => ({ ...tiledModel(model, shape, tiling), sizes }),
  };
  return { ...tiledModel(model, model.imageShape, tiling), sizes, ...(model.dispose && { dispose: model.dispose }) };
};

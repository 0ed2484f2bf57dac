/** The configuration of an EDM network from the names and shapes of its tensors. */
import { sizesIn } from '../parameters.ts';
import type { EdmConfig } from './plan.ts';

type Shapes = ReadonlyMap<string, readonly number[]>;

/**
 * What a state dict tells: everything but the preconditioning. `filter` are the taps of one of its resampling filters.
 * Throws ConfigError where a tensor that tells is absent.
 */
export function inferredConfig(shapes: Shapes, filter: readonly number[] | undefined, where: string): EdmConfig {
  const sizeAt = sizesIn(shapes, where, 'a SongUNet or DhariwalUNet of NVlabs/edm');
  const names = [...shapes.keys()];
  const some = (pattern: RegExp): boolean => names.some((name) => pattern.test(name));
  const levels = [...new Set(names.flatMap((name) => /^dec\.(\d+)x\1_block0\.conv1\.weight$/.exec(name)?.[1] ?? []))]
    .map(Number)
    .sort((a, b) => b - a);
  const size = Number(names.flatMap((name) => /^enc\.(\d+)x\1_conv\.weight$/.exec(name)?.[1] ?? [])[0] ?? levels[0]);
  const type = shapes.has('out_conv.weight') ? 'dhariwal' : 'song';
  const width = type === 'song' ? sizeAt(`enc.${size}x${size}_conv.weight`, 0) : sizeAt('map_layer0.weight', 1);
  const blocksOf = (level: number): number =>
    names.filter((name) => new RegExp(`^dec\\.${level}x${level}_block\\d+\\.conv1\\.weight$`).test(name)).length;
  const depth = blocksOf(size) - 1;
  const output = type === 'song' ? `dec.${size}x${size}_aux_conv.weight` : 'out_conv.weight';
  const labels = shapes.get('map_label.weight');
  return {
    type,
    size,
    inChannels: sizeAt(`enc.${size}x${size}_conv.weight`, 1),
    outChannels: sizeAt(output, 0),
    classes: labels?.[1] ?? 0,
    width,
    multipliers: levels.map((level) => sizeAt(`dec.${level}x${level}_block0.conv1.weight`, 0) / width),
    embeddingMultiplier: sizeAt('map_layer1.weight', 0) / width,
    depth,
    attentionAt: levels.filter((level) => shapes.has(`dec.${level}x${level}_block${depth}.qkv.weight`)),
    embedding: shapes.has('map_noise.freqs') ? 'fourier' : 'positional',
    noiseMultiplier: type === 'song' ? sizeAt('map_layer0.weight', 1) / width : 1,
    encoder: some(/_aux_residual\.weight$/) ? 'residual' : some(/_aux_skip\.weight$/) ? 'skip' : 'standard',
    decoder: names.filter((name) => /^dec\..*_aux_conv\.weight$/.test(name)).length > 1 ? 'skip' : 'standard',
    filter: filter ?? [1, 1],
  };
}

/** What a blur sees beyond the border of the image. */
export type Border = 'reflect' | 'zero' | 'circular';

const modulo = (index: number, period: number): number => ((index % period) + period) % period;

/**
 * The entry of an axis that stands at `index`, which may lie outside; undefined for zero. Folded as often as needed.
 */
export function folded(index: number, length: number, border: Border): number | undefined {
  switch (border) {
    case 'circular':
      return modulo(index, length);
    case 'zero':
      return index >= 0 && index < length ? index : undefined;
    case 'reflect': {
      // The last entry is not repeated: ... 2 1 | 0 1 2 ...
      const period = Math.max(1, 2 * length - 2);
      const place = modulo(index, period);
      return Math.min(place, period - place);
    }
  }
}

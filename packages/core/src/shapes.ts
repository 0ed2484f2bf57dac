/** The number of entries of a shape: the product of its sizes. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

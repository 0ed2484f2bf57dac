/**
 * The entry of a list at a place where there must be one. Throws where there is none: an error of the program, told by
 * `what` the entry is and by its place, instead of a stand-in that would be stored as if it were a result.
 */
export const at = <T>(list: ArrayLike<T>, index: number, what: string): T => {
  const entry = list[index];
  if (entry === undefined) throw new RangeError(`there is no ${what} at ${index}, the list has ${list.length}.`);
  return entry;
};

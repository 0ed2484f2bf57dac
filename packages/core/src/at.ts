/**
 * An entry of a list that must be there: an index that does not exist is a mistake of the program. `what` names an
 * entry in its message.
 */
export const at = <T>(list: readonly T[], index: number, what: string): T => {
  if (index in list) return list[index] as T;
  throw new Error(`no ${what} ${index} among ${list.length}`);
};

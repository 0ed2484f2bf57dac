/** The remedy where the folder of an export cannot be written. */
export const OTHER_OUT = 'Choose another folder with --out.';

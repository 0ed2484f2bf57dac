import { describeGuidance } from '@tweedie/testing';
import { fileURLToPath } from 'node:url';

/** A program that writes numbers which follow from the measurement and the number of the sample. */
const program = fileURLToPath(new URL('program.mjs', import.meta.url));
describeGuidance(import.meta.url, { options: [{ command: [process.execPath, program] }] });

import { Flags } from '@oclif/core';

/** The flag of commands that draw cells in child processes. */
export const workersFlag = {
  workers: Flags.integer({
    min: 0,
    max: 1024,
    helpValue: 'N',
    description:
      'Child processes that draw, each with a model of its own; 0: none, all in this process. Results do not depend on it. Default: what tweedie plan says.',
  }),
};

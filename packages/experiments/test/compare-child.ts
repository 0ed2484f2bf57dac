// Runs an experiment (first argument: JSON of the options of `compare`) and prints a line at each event, for the test
// that kills it.
import { writeSync } from 'node:fs';
import { compare, type CompareOptions } from '@tweedie/experiments';

const options = JSON.parse(process.argv[2] ?? '{}') as CompareOptions;
await compare({
  ...options,
  onProgress: ({ phase, done, total }) => void writeSync(1, `${phase} ${done} of ${total}\n`),
});
writeSync(1, 'finished\n');

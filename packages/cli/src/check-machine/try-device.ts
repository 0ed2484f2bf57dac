/** A script, run by `tryDevice`: tries the engine and device that its argument names, and prints the answer. */
import { messageOf } from '@tweedie/core/registry';
import type { Answer, Trial } from './devices.ts';
import { tryEngine } from './engines.ts';

const { id, device, registries } = JSON.parse(process.argv[2] ?? '{}') as Trial;
const answer: Answer = await tryEngine(id, { device }, registries).then(
  (facts) => ({ facts }),
  (error: unknown) => ({ error: messageOf(error) }),
);
console.log(JSON.stringify(answer));

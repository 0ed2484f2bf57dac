/** What `doctor` says of a queue and a store. */
import { randomUUID } from 'node:crypto';
import { ConfigError } from '@tweedie/core';
import { queueAddress } from './address.ts';
import { CONNECTIONS, reachServer } from './connection.ts';
import { kindOfStore, openStoreAt } from './stores/open-store.ts';

/** Milliseconds that clocks may differ: times of start and end in results are those of the machine that drew. */
const APART = 5000;
/** Milliseconds that a store has to answer in. */
const PATIENCE = 5000;

/** Whether a queue does for runs: its version, and that it loses nothing. Throws ConfigError where it does not. */
export const checkQueue = async (queue: string): Promise<string> => {
  const address = queueAddress(queue);
  const { version, eviction, persistent, clock, connections, mostConnections } = await reachServer(address);
  const name = `${address.place}, ${address.kind === 'redis' ? 'Redis' : 'PostgreSQL'} ${version}`;
  if (eviction !== undefined && eviction !== '' && eviction !== 'noeviction')
    throw new ConfigError(
      name,
      `its maxmemory-policy is ${eviction}: where its memory is full it forgets chunks that wait.`,
      'Say redis-cli CONFIG SET maxmemory-policy noeviction, and the same in redis.conf.',
    );
  if (!persistent)
    throw new ConfigError(
      name,
      'keeps nothing on disk: a restart forgets what waits, which the command that compares then has to queue again.',
      'Say redis-cli CONFIG SET appendonly yes, and the same in redis.conf.',
    );
  if (Math.abs(clock) > APART)
    throw new ConfigError(
      name,
      `its clock and the one of this machine differ by ${(Math.abs(clock) / 1000).toFixed(0)} s.`,
      'Let both keep time by NTP (timedatectl set-ntp true).',
    );
  const kept = eviction === undefined ? '' : ', noeviction, kept on disk';
  const room =
    connections === undefined || mostConnections === undefined
      ? ''
      : `, connections for ${Math.floor((mostConnections - connections) / CONNECTIONS)} workers more (maxclients ${mostConnections})`;
  return `${name}${kept}, clocks agree to ${Math.abs(clock).toFixed(0)} ms${room}`;
};

/** Whether a store takes and gives back an object. */
export const checkStore = async (store: string): Promise<string> => {
  if (kindOfStore(store) === 'http')
    throw new ConfigError(
      store,
      'is served by tweedie compare itself.',
      'See that workers reach this machine at that port.',
    );
  const opened = await openStoreAt(store, '', { patience: PATIENCE });
  const content = new TextEncoder().encode(randomUUID());
  // One key for all checks: an object that is not what is put is replaced by none.
  await opened.put('checks/doctor', content);
  if (!(await opened.has('checks/doctor')))
    throw new ConfigError(opened.place, 'does not give back what is put there.', 'Choose another store.');
  return `${opened.place} takes and gives objects`;
};

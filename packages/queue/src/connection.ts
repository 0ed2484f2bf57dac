import { ConfigError, messageOf } from '@tweedie/core';
import type { BackendFactory, IQueueBackend, Job, Queue, Worker } from 'bullmq';
import { withoutCredentials, type QueueAddress } from './address.ts';

/** Jobs of one kind on a server. */
export type Jobs<Data, Done> = Pick<
  Queue<Data, Done>,
  | 'add'
  | 'addBulk'
  | 'getJob'
  | 'getJobs'
  | 'getJobCounts'
  | 'getJobLogs'
  | 'drain'
  | 'pause'
  | 'resume'
  | 'obliterate'
  | 'close'
>;

/** What takes jobs of one kind and does them. */
type Taker<Data, Done> = Pick<Worker<Data, Done>, 'close' | 'pause' | 'isRunning'>;
export type JobOf<Data, Done> = Job<Data, Done, string>;

/**
 * A server of queues. On Redis all that a process asks goes through one connection, however many queues there are, and
 * each taker waits on one of its own: a server has so many connections and no more (`maxclients`).
 */
export type Server = {
  readonly place: string;
  jobs<Data, Done>(name: string): Jobs<Data, Done>;
  taker<Data, Done>(
    name: string,
    work: (job: JobOf<Data, Done>) => Promise<Done>,
    settings: TakerSettings,
  ): Taker<Data, Done>;
  /** Leaves the server, once its queues and takers are closed. */
  close(): Promise<void>;
};

/** Connections of a process that works on a run on Redis. */
export const CONNECTIONS = 2;

type TakerSettings = {
  /** Shown to people: host and process. */
  readonly name: string;
  /** Jobs at once. */
  readonly slots: number;
  /** Milliseconds after which a job whose worker no longer renews its lock goes to another one. */
  readonly lock: number;
};

/** Milliseconds of a lock: a worker that dies is missed after twice as long at most. */
export const LOCK = 60_000;
/** Times that a job may be left by a worker that vanished, before it counts as failed. */
const VANISHED = 5;
/** Milliseconds until a worker asks again after a link was down, and seconds that it waits for a job at a time. */
const [ASK_AGAIN, WAIT] = [1000, 5];

const EVENTS_KEPT = 1000;

/** The options of BullMQ for a worker. */
const takerOptions = ({ name, slots, lock }: TakerSettings) => ({
  name,
  concurrency: slots,
  lockDuration: lock,
  stalledInterval: lock,
  maxStalledCount: VANISHED,
  runRetryDelay: ASK_AGAIN,
  drainDelay: WAIT,
});

/**
 * Connects to Redis or PostgreSQL through BullMQ. What goes wrong with a link later on is told to `onTrouble`, once for
 * each message in a row: it comes back by itself.
 */
export const openServer = async (
  address: QueueAddress,
  onTrouble: (message: string) => void = () => undefined,
): Promise<Server> => {
  const { createPostgresBackend, createRedisBackend, withBackend } = await import('bullmq');
  const { place, url } = address;
  let last = '';
  const tell = (error: Error): void => {
    const message = `[${place}] ${withoutCredentials(messageOf(error))}`;
    if (message !== last) onTrouble(message);
    last = message;
  };
  const serverOf = <B extends IQueueBackend, C>(
    backend: BackendFactory<B, C>,
    connection: C,
    close: () => void = () => undefined,
  ): Server => {
    const { Queue, Worker } = withBackend(backend);
    return {
      place,
      jobs: <Data, Done>(name: string) =>
        new Queue<Data, Done>(name, { connection, streams: { events: { maxLen: EVENTS_KEPT } } }).on('error', tell),
      taker: <Data, Done>(name: string, work: (job: JobOf<Data, Done>) => Promise<Done>, settings: TakerSettings) =>
        new Worker<Data, Done>(name, work, { ...takerOptions(settings), connection }).on('error', tell),
      close: async () => Promise.resolve(close()),
    };
  };
  if (address.kind === 'postgres')
    return serverOf(createPostgresBackend, { connectionString: url, migrate: true, max: 4 });
  const { Redis } = await import('ioredis');
  // Commands wait until the link is back.
  const client = new Redis(url, { maxRetriesPerRequest: null });
  client.on('error', tell);
  return serverOf(createRedisBackend, client, () => client.disconnect());
};

export type ServerFacts = {
  readonly version: string;
  /** What Redis does where its memory is full: anything but `noeviction` loses chunks that wait. */
  readonly eviction?: string;
  /** Whether what is queued survives a restart of the server. */
  readonly persistent: boolean;
  /** Bytes that Redis holds in memory. */
  readonly bytes?: number;
  /** Seconds of processor time that Redis has used. */
  readonly cpuSeconds?: number;
  /** Connections that Redis has, and the most that it takes. */
  readonly connections?: number;
  readonly mostConnections?: number;
  /** Milliseconds that its clock is ahead of ours. */
  readonly clock: number;
};

/** Milliseconds in which a server must have answered. */
const REACH = 5000;

const redisFacts = async ({ url }: QueueAddress): Promise<ServerFacts> => {
  const { Redis } = await import('ioredis');
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: REACH,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  // Without a listener the library prints the error; it is thrown below.
  let reason: Error | undefined;
  redis.on('error', (error) => (reason = error));
  try {
    await redis.connect();
    const info = await redis.info();
    const fieldOf = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
    const before = Date.now();
    const [seconds = '0', micros = '0'] = (await redis.time()).map(String);
    const now = (before + Date.now()) / 2;
    // A server for hire may refuse CONFIG: then what INFO says must do.
    const settings = await redis.config('GET', 'save').catch(() => undefined);
    const saves = Array.isArray(settings) ? String(settings[1]) !== '' : true;
    const [connections, most] = [fieldOf('connected_clients'), fieldOf('maxclients')].map(Number);
    return {
      version: fieldOf('redis_version'),
      eviction: fieldOf('maxmemory_policy'),
      bytes: Number(fieldOf('used_memory')),
      cpuSeconds: Number(fieldOf('used_cpu_user')) + Number(fieldOf('used_cpu_sys')),
      ...(connections && { connections }),
      ...(most && { mostConnections: most }),
      persistent: fieldOf('aof_enabled') === '1' || saves,
      clock: Number(seconds) * 1000 + Number(micros) / 1000 - now,
    };
  } catch (error) {
    throw reason ?? error;
  } finally {
    redis.disconnect();
  }
};

const postgresFacts = async ({ url }: QueueAddress): Promise<ServerFacts> => {
  const { PostgresConnection } = await import('bullmq');
  const connection = new PostgresConnection({
    connectionString: url,
    max: 1,
    connectionTimeoutMillis: REACH,
  });
  connection.on('error', () => undefined);
  try {
    const before = Date.now();
    const { rows } = await connection.pool.query<Readonly<Record<string, unknown>>>(
      'SELECT current_setting($1) AS version, extract(epoch FROM clock_timestamp()) * 1000 AS time',
      ['server_version'],
    );
    const now = (before + Date.now()) / 2;
    return { version: String(rows[0]?.['version']), persistent: true, clock: Number(rows[0]?.['time']) - now };
  } finally {
    await connection.close();
  }
};

const NAMES = { redis: 'Redis', postgres: 'PostgreSQL' } as const;
/** The oldest versions that BullMQ 6 works with. */
const OLDEST = { redis: 5, postgres: 13 } as const;

/** What to do where a server cannot be reached, for that reason. */
export const remedyFor = (kind: QueueAddress['kind'], reason: string): string => {
  if (/certificate|self-signed|altnames/i.test(reason))
    return 'Name the file of the authority that signed its certificate in NODE_EXTRA_CA_CERTS.';
  return /NOAUTH|WRONGPASS|password|authentication|pg_hba/i.test(reason)
    ? 'Give user and password in the URL, or the password in TWEEDIE_QUEUE_PASSWORD.'
    : `Start ${NAMES[kind]} there, or correct the address.`;
};

/** What a server is. Throws ConfigError where it cannot be reached or is too old. */
export const reachServer = async (address: QueueAddress): Promise<ServerFacts> => {
  const { kind, place } = address;
  let facts: ServerFacts;
  try {
    facts = await (kind === 'redis' ? redisFacts(address) : postgresFacts(address));
  } catch (error) {
    const reason = withoutCredentials(messageOf(error)).replace(/\.$/, '');
    throw new ConfigError(
      place,
      `cannot be reached: ${reason === '' ? 'nothing listens there' : reason}.`,
      remedyFor(kind, reason),
    );
  }
  if (Number.parseInt(facts.version) < OLDEST[kind])
    throw new ConfigError(
      place,
      `is ${NAMES[kind]} ${facts.version}.`,
      `${NAMES[kind]} ${OLDEST[kind]} or later is needed: update it.`,
    );
  return facts;
};

// Servers of queues on loopback, started for a test and ended with it. Where a program is absent, `absent` says which.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, chownSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const folders = (process.env['PATH'] ?? '').split(delimiter);
/** Debian keeps the programs of PostgreSQL outside the path. */
const postgresFolders = existsSync('/usr/lib/postgresql')
  ? readdirSync('/usr/lib/postgresql').map((version) => `/usr/lib/postgresql/${version}/bin`)
  : [];
const find = (name: string, places: readonly string[]): string | undefined =>
  places.map((folder) => join(folder, name)).find((path) => existsSync(path));

const redisServer = find('redis-server', folders);
const initdb = find('initdb', [...postgresFolders, ...folders]);

const inCi = process.env['CI'] === 'true';
/** What a test that needs a server is skipped for; in CI nothing is skipped. */
export const absent = {
  redis: redisServer === undefined && !inCi ? 'redis-server is not installed' : undefined,
  postgres: initdb === undefined && !inCi ? 'PostgreSQL is not installed' : undefined,
};
for (const reason of Object.values(absent)) {
  if (reason !== undefined) console.log(`Skipped: what needs it, ${reason} (apt-get install redis-server postgresql).`);
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

/** Waits until a port is listened on. */
const listens = async (port: number): Promise<void> => {
  for (let left = 400; left > 0; left--) {
    const there = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      }).on('error', () => resolve(false));
    });
    if (there) return;
    await pause(50);
  }
  throw new Error(`nothing listens on port ${port}`);
};

const ended = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once('exit', () => resolve()));

export type TestServer = {
  readonly url: string;
  readonly port: number;
  /** Ends it without warning and starts it anew on the same data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
};

/** Redis with an append-only file that is written through at each command. */
export const startRedis = async (...options: readonly string[]): Promise<TestServer> => {
  const folder = mkdtempSync(join(tmpdir(), 'tweedie-redis-'));
  const port = await freePort();
  const given = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''];
  const kept = ['--appendonly', 'yes', '--appendfsync', 'always'];
  const start = async (): Promise<ChildProcess> => {
    const child = spawn(redisServer ?? 'redis-server', [...given, ...kept, ...options], { stdio: 'ignore' });
    await listens(port);
    return child;
  };
  let child = await start();
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended(child);
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    stop,
    async restart() {
      await stop();
      child = await start();
    },
  };
};

/** PostgreSQL refuses to run as root: then it runs as the user that Debian makes for it. */
const postgresUser = (): { uid?: number; gid?: number } => {
  if (process.getuid?.() !== 0) return {};
  const idOf = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: idOf('-u'), gid: idOf('-g') };
};

export const startPostgres = async (): Promise<TestServer> => {
  const folder = mkdtempSync(join(tmpdir(), 'tweedie-postgres-'));
  const user = postgresUser();
  if (user.uid !== undefined && user.gid !== undefined) chownSync(folder, user.uid, user.gid);
  const data = join(folder, 'data');
  const program = initdb ?? 'initdb';
  execFileSync(program, ['-D', data, '-U', 'tweedie', '--auth=trust', '--no-sync', '-E', 'UTF8'], {
    ...user,
    stdio: 'ignore',
    cwd: folder,
  });
  const port = await freePort();
  const options = ['-D', data, '-p', String(port), '-k', folder, '-c', 'listen_addresses=127.0.0.1'];
  const start = async (): Promise<ChildProcess> => {
    const child = spawn(program.replace(/initdb$/, 'postgres'), options, { ...user, stdio: 'ignore', cwd: folder });
    await listens(port);
    return child;
  };
  let child = await start();
  const stop = async (): Promise<void> => {
    child.kill('SIGINT');
    await ended(child);
  };
  return {
    url: `postgres://tweedie@127.0.0.1:${port}/postgres`,
    port,
    stop,
    async restart() {
      await stop();
      child = await start();
    },
  };
};

/** A link to a server that can be cut and mended. */
export type Link = { readonly port: number; cut(): void; mend(): Promise<void>; close(): Promise<void> };

export const linkTo = async (to: number): Promise<Link> => {
  const sockets = new Set<Socket>();
  const port = await freePort();
  let server: Server | undefined;
  const mend = (): Promise<void> =>
    new Promise((resolve) => {
      server = createServer((near) => {
        const far = connect(to, '127.0.0.1');
        for (const [socket, other] of [
          [near, far],
          [far, near],
        ] as const) {
          sockets.add(socket);
          socket
            .on('error', () => other.destroy())
            .on('close', () => {
              sockets.delete(socket);
              other.destroy();
            });
          socket.pipe(other);
        }
      }).listen(port, '127.0.0.1', () => resolve());
    });
  const cut = (): void => {
    server?.close();
    for (const socket of sockets) socket.destroy();
  };
  await mend();
  return { port, cut, mend, close: async () => Promise.resolve(cut()) };
};

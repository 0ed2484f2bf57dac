import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import {
  CancelledError,
  ConfigError,
  loadRegistries,
  messageOf,
  nearest,
  readJson,
  type Registry,
} from '@tweedie/core/registry';
import { checkId, rename, spellingsOf } from './spellings.ts';

/** The kinds that have a template: all seven. */
export const scaffoldKinds = ['operator', 'guidance', 'scheduler', 'model', 'metric', 'dataset', 'engine'] as const;
/** A kind of plugin. */
export type ScaffoldKind = (typeof scaffoldKinds)[number];

/**
 * Finds Tweedie's repository that `folder` is in: the nearest folder above with a registry and templates. Undefined
 * where there is none.
 */
export const repositoryOf = (folder: string): string | undefined => {
  if (['registry.json', 'templates', 'plugins', 'package-lock.json'].every((name) => existsSync(join(folder, name))))
    return realpathSync(folder);
  return dirname(folder) === folder ? undefined : repositoryOf(dirname(folder));
};

type Task = { readonly root: string; readonly kind: ScaffoldKind; readonly id: string; readonly signal?: AbortSignal };

/**
 * Makes `plugins/<kind>-<id>` from `templates/<kind>`, registered and linked as npm would link it, so that it runs at
 * once, offline too. Gives the folder, relative to `root`. All or nothing: when something fails, or `signal` aborts,
 * everything is as it was before. Throws ConfigError for an id that cannot be, one that is taken, and a repository that
 * cannot be written; CancelledError.
 */
export const scaffold = async ({ root, kind, id, signal }: Task): Promise<string> => {
  const name = `${kind}/${id}`;
  const packageName = `@tweedie/${kind}-${id}`;
  const place = `plugins/${kind}-${id}`;
  const folder = join(root, place);
  checkId(kind, id);
  refuseTaken(root, kind, id, folder);
  const files = renderTemplate(join(root, 'templates', kind), name, id);

  const undo: (() => void)[] = [];
  const next = async (): Promise<void> => {
    await new Promise(setImmediate);
    signal?.throwIfAborted();
  };
  try {
    await next();
    undo.push(() => rmSync(folder, { recursive: true, force: true }));
    for (const [path, text] of files) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    layOut(root, folder);
    await next();
    undo.push(link(folder, join(root, 'node_modules', packageName)));
    await next();
    undo.push(
      rewrite(join(root, 'package-lock.json'), (lock) =>
        lockWith(lock, place, readJson(join(folder, 'package.json')) as Package),
      ),
    );
    await next();
    undo.push(
      rewrite(join(root, 'registry.json'), (registry) => ({
        ...registry,
        plugins: sorted({ ...(registry['plugins'] as object), [name]: packageName }),
      })),
    );
    loadRegistries([join(root, 'registry.json')]).find(kind, id);
    await next();
  } catch (error) {
    const state = takeBack(undo);
    if (signal?.aborted) throw new CancelledError(`Stopped. ${state}`);
    throw new ConfigError(name, `could not be made: ${messageOf(error).replace(/\.$/, '')}.`, state, { cause: error });
  }
  return place;
};

const refuseTaken = (root: string, kind: ScaffoldKind, id: string, folder: string): void => {
  refuseKnown(kind, id, loadRegistries([join(root, 'registry.json')]));
  if (existsSync(folder))
    throw new ConfigError(
      `${kind}/${id}`,
      `the folder ${folder} exists already, but registry.json does not name it.`,
      'Remove it or choose another id.',
    );
};

/** Refuses an id that a registry has. */
export const refuseKnown = (kind: ScaffoldKind, id: string, { manifests, broken }: Registry): void => {
  const unread = broken.get(`${kind}/${id}`);
  if (unread) throw unread;
  const taken = manifests.filter((manifest) => manifest.kind === kind);
  const other = taken.find((manifest) => manifest.id === id);
  const near = nearest(
    id,
    taken.map((manifest) => manifest.id),
  ).filter((known) => known !== id);
  if (other)
    throw new ConfigError(
      `${kind}/${id}`,
      `exists already, in ${other.folder}.`,
      `Choose another id${near.length === 0 ? '' : `; near it there are ${near.join(', ')} too`}.`,
    );
};

/**
 * Gives path and text of every file of a template under its new name. Refuses an id whose factory would have the name
 * of something that its file imports.
 */
export const renderTemplate = (template: string, name: string, id: string): ReadonlyMap<string, string> => {
  const spellings = spellingsOf(id);
  const paths = readdirSync(template, { recursive: true, encoding: 'utf8' }).filter(
    (path) => lstatSync(join(template, path)).isFile() && !path.includes('node_modules'),
  );
  const files = new Map(
    paths.map((path) => [
      join(dirname(path), basename(path).replace(/^example\b/, id)),
      // npm publishes what is not private; a template is.
      rename(readFileSync(join(template, path), 'utf8').replace('  "private": true,\n', ''), spellings),
    ]),
  );
  refuseClash(name, id, files);
  return files;
};

/**
 * Lays files out as the lint of the repository wants them: where lines break depends on how long the name is. Without
 * Prettier, or where it fails, they stay as the template has them.
 */
const layOut = (root: string, folder: string): void => {
  const prettier = join(root, 'node_modules/prettier/bin/prettier.cjs');
  const argv = [prettier, '--write', '--log-level', 'silent', folder];
  if (existsSync(prettier)) spawnSync(process.execPath, argv, { cwd: root, stdio: 'ignore' });
};

/** Refuses an id whose factory would have the name of something that its file imports. */
const refuseClash = (name: string, id: string, files: ReadonlyMap<string, string>): void => {
  const { camel } = spellingsOf(id);
  const imports = /^import \{([^}]*)\}/m.exec(files.get(join('src', 'index.ts')) ?? '')?.[1] ?? '';
  if (imports.split(',').some((item) => item.trim().replace(/^type /, '') === camel))
    throw new ConfigError(
      name,
      `${camel} is the name of something in @tweedie/core that the factory uses.`,
      'Choose another id.',
    );
};

/** Undoes steps in reverse order, as many as can be, and says how that went. */
export const takeBack = (undo: readonly (() => unknown)[]): string => {
  const kept = undo.toReversed().flatMap((step) => {
    try {
      step();
      return [];
    } catch (error) {
      return [messageOf(error)];
    }
  });
  return kept.length === 0 ? 'Everything is as it was.' : `Not everything could be taken back: ${kept.join('; ')}.`;
};

/**
 * Links a package as npm links a workspace; a link that a removed folder left behind is put right. Gives the function
 * that takes the link back.
 */
const link = (folder: string, from: string): (() => void) => {
  rmSync(from, { force: true });
  symlinkSync(relative(dirname(from), folder), from, 'junction');
  return () => rmSync(from, { force: true });
};

type Json = Readonly<Record<string, unknown>>;
type Package = {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly dependencies: object;
  readonly engines: object;
};

/** Gives the lock as `npm install` writes it when the workspace `place` is new. */
const lockWith = (lock: Json, place: string, { name, version, license, dependencies, engines }: Package): Json => ({
  ...lock,
  packages: sorted({
    ...(lock['packages'] as object),
    [`node_modules/${name}`]: { resolved: place, link: true },
    [place]: { name, version, license, dependencies, engines },
  }),
});

const sorted = (entries: object): object =>
  Object.fromEntries(Object.entries(entries).sort(([a], [b]) => a.localeCompare(b, 'en')));

/**
 * Changes a JSON file in one move, so that it is never half written, and never by two commands at a time. Gives the
 * function that takes the change back.
 */
const rewrite = (path: string, change: (content: Json) => Json): (() => void) => {
  const before = readFileSync(path, 'utf8');
  const replace = (text: string): void => {
    writeFileSync(`${path}.new`, text, { flag: 'wx' });
    renameSync(`${path}.new`, path);
  };
  replace(`${JSON.stringify(change(JSON.parse(before) as Json), undefined, 2)}\n`);
  return () => replace(before);
};

/** Which plugin an error comes from, and the line of its code: read from the stack, so that any error can be asked. */
import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from './errors.ts';
import { readManifest } from './manifest.ts';

export type Frame = { readonly file: string; readonly line: string };

/** The frames of a stack that have a file, the innermost first. */
export const stackFrames = (stack: string): readonly Frame[] =>
  stack.split('\n').flatMap((text) => {
    const [, place, line] = /^ +at (?:.* \()?(?:async )?(.+?):(\d+):\d+\)?$/.exec(text) ?? [];
    if (place === undefined || line === undefined) return [];
    return [{ file: place.startsWith('file:') ? fileURLToPath(place) : place, line }];
  });

/** A frame as messages show it, `folder/file.ts:12`: relative to the working folder where it is in it. */
export const showFrame = ({ file, line }: Frame): string => {
  const path = relative(process.cwd(), file);
  return `${path.startsWith('..') || isAbsolute(path) ? file : path}:${line}`;
};

/** The plugin (`kind/id`) that an error comes from, and the line of its code. */
export type PluginPlace = { readonly plugin: string; readonly line: string };

/** The innermost line of a plugin in the stack of an error or of its causes; undefined where there is none. */
export const pluginPlace = (error: unknown): PluginPlace | undefined => {
  if (!(error instanceof Error)) return undefined;
  const inner = pluginPlace(error.cause);
  if (inner) return inner;
  for (const frame of stackFrames(error.stack ?? '')) {
    const plugin = isAbsolute(frame.file) ? pluginOf(dirname(frame.file)) : undefined;
    if (plugin !== undefined) return { plugin, line: showFrame(frame) };
  }
  return undefined;
};

const ownPackage = dirname(import.meta.dirname);

/** The plugin whose package a folder belongs to; core, which has the eager engine, is none here. */
const pluginOf = (folder: string): string | undefined => {
  if (folder === ownPackage) return undefined;
  if (existsSync(join(folder, 'plugin.json'))) {
    const { kind, id } = readManifest(folder);
    return `${kind}/${id}`;
  }
  if (existsSync(join(folder, 'package.json')) || dirname(folder) === folder) return undefined;
  return pluginOf(dirname(folder));
};

/** The plugin cannot be used, and no input can change that: its author must mend it. */
export class PluginError extends Error {
  override readonly name = 'PluginError';
}

/** The error for a factory that failed: it names the plugin, what was thrown and the line. */
export const factoryFault = (plugin: string, thrown: unknown): PluginError => {
  const place = pluginPlace(thrown);
  const at = place ? ` (${place.line})` : '';
  return new PluginError(`[${plugin}] its factory threw: ${messageOf(thrown).replace(/\.$/, '')}${at}.`, {
    cause: thrown,
  });
};

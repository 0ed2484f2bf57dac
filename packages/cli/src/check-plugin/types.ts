import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import type { CompilerHost, CompilerOptions, Diagnostic } from 'typescript';
import type { Manifest } from '@tweedie/core/registry';
import { built, home } from '../home.ts';
import { absent, needing, onOneLine, type Outcome } from './outcome.ts';

type TypeScript = typeof import('typescript');

/**
 * Checks the types of one plugin: only what is wrong in its own files is looked for, so that this takes seconds. Also
 * where no package is installed beside the plugin.
 */
export const checkTypes = async ({ folder, file }: Manifest): Promise<readonly Outcome[]> => {
  const { default: ts } = await needing(() => import('typescript'));
  const files =
    file === undefined
      ? ts.sys.readDirectory(folder, ['.ts', '.mts'], ['**/node_modules', '**/dist'])
      : [file].filter((path) => /\.m?ts$/.test(path));
  if (files.length === 0) return [{ name: 'types', state: 'ok', says: 'it has no TypeScript files' }];
  const options = {
    ...optionsOf(ts, folder),
    // One file, with no package.json beside it that says it is a module.
    ...(file !== undefined && { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler }),
  };
  const program = ts.createProgram(files, options, hostOf(ts, folder, options));
  const own = files.flatMap((file) => program.getSourceFile(file) ?? []);
  const found = [
    ...program.getOptionsDiagnostics(),
    ...program.getGlobalDiagnostics(),
    ...own.flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]),
  ];
  if (found.length > 0)
    return found.map((one) => ({ name: 'types', state: 'failed', says: sentence(ts, folder, one) }));
  return [{ name: 'types', state: 'ok', says: `${files.length} ${files.length === 1 ? 'file' : 'files'}` }];
};

/** The options of Tweedie's own `tsconfig.json`. */
const optionsOf = (ts: TypeScript, folder: string): CompilerOptions => {
  const { config } = ts.readConfigFile(join(home, 'tsconfig.json'), ts.sys.readFile) as { readonly config?: object };
  return {
    ...ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, home).options,
    ...(built && { customConditions: [] }),
    typeRoots: [typesOfNode(folder)],
  };
};

/** The folder with the types of Node: the plugin's own, else the one beside Tweedie. */
const typesOfNode = (folder: string): string => {
  for (const from of [join(folder, 'any.js'), import.meta.filename]) {
    try {
      return dirname(dirname(createRequire(from).resolve('@types/node/package.json')));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  throw absent('@types/node');
};

/** A host that finds Tweedie's packages, and the test runner, from here where the plugin's folder has none. */
const hostOf = (ts: TypeScript, folder: string, options: CompilerOptions): CompilerHost => {
  const host = ts.createCompilerHost(options);
  const cache = ts.createModuleResolutionCache(folder, host.getCanonicalFileName, options);
  return {
    ...host,
    resolveModuleNameLiterals: (literals, containing, redirected, own, source) =>
      literals.map((literal) => {
        const mode = ts.getModeForUsageLocation(source, literal, own);
        const find = (from: string) => ts.resolveModuleName(literal.text, from, own, host, cache, redirected, mode);
        const found = find(containing);
        const shared = /^(@tweedie\/|vitest(\/|$))/.test(literal.text);
        return found.resolvedModule === undefined && shared ? find(import.meta.filename) : found;
      }),
  };
};

const sentence = (ts: TypeScript, folder: string, { file, start = 0, messageText }: Diagnostic): string => {
  const message = onOneLine(ts.flattenDiagnosticMessageText(messageText, '\n'));
  if (file === undefined) return message;
  const { line, character } = file.getLineAndCharacterOfPosition(start);
  return `${relative(folder, file.fileName)}:${line + 1}:${character + 1} ${message}`;
};

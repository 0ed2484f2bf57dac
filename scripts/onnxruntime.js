/**
 * onnxruntime-node brings the libraries of every platform, 290 MB, and a script that fetches CUDA at install, which
 * fails without internet. What is published depends on packages of one platform each, made here of its files.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const home = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
const { version, dependencies, main, types } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
const libraries = join(home, 'bin/napi-v6');
const platforms = readdirSync(libraries).flatMap((os) =>
  readdirSync(join(libraries, os)).map((cpu) => ({ os, cpu, name: `@tweedie/onnxruntime-${os}-${cpu}` })),
);

/** The dependencies of a package in which onnxruntime-node has made room for the package of this platform. */
export const runtimeDependencies = (own) => {
  const { 'onnxruntime-node': asked, ...others } = own.dependencies;
  if (asked !== version) throw new Error(`onnxruntime-node ${asked} is asked for and ${version} is installed.`);
  return {
    dependencies: others,
    optionalDependencies: Object.fromEntries(platforms.map(({ name }) => [name, version])),
    peerDependencies: { ...own.peerDependencies, 'onnxruntime-node': version },
    peerDependenciesMeta: { ...own.peerDependenciesMeta, 'onnxruntime-node': { optional: true } },
  };
};

/** Makes the packages of single platforms, a folder each. They have the version of onnxruntime-node. */
export const stageRuntimes = (folder) => {
  rmSync(folder, { recursive: true, force: true });
  for (const { os, cpu, name } of platforms) {
    const to = join(folder, name.slice('@tweedie/'.length));
    const place = join('bin/napi-v6', os, cpu);
    cpSync(join(home, 'dist'), join(to, 'dist'), { recursive: true });
    cpSync(join(home, place), join(to, place), { recursive: true });
    mkdirSync(to, { recursive: true });
    const own = {
      name,
      version,
      description: `onnxruntime-node for ${os} ${cpu} alone, for Tweedie`,
      license: 'MIT',
      main,
      types,
      os: [os],
      cpu: [cpu],
      dependencies: { 'onnxruntime-common': dependencies['onnxruntime-common'] },
      publishConfig: { access: 'public' },
    };
    writeFileSync(join(to, 'package.json'), `${JSON.stringify(own, undefined, 2)}\n`);
    writeFileSync(join(to, 'README.md'), readme({ os, cpu }));
    const licence = readFileSync(new URL('../LICENSE', import.meta.url), 'utf8');
    writeFileSync(join(to, 'LICENSE'), licence.replace(/^Copyright .*$/m, 'Copyright (c) Microsoft Corporation'));
  }
};

const readme = ({ os, cpu }) => `# ONNX Runtime for ${os} ${cpu}

The files of [onnxruntime-node](https://www.npmjs.com/package/onnxruntime-node) ${version} that ${os} ${cpu} needs, as
Microsoft published them: no other platform's libraries, no install script. \`@tweedie/jit\` depends on it.
`;

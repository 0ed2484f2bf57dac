import { tf } from '@tweedie/core';
import { families } from '../src/lowering/index.ts';
import { unlowered } from '../src/lowering/unlowered.ts';

/** Every kernel name of tfjs-core: its constants that hold their own name. */
export const kernelNames = (): string[] =>
  Object.entries(tf)
    .flatMap(([name, value]) => (value === name ? [name] : []))
    .sort();

/** The page docs/jit-kernels.md. */
export function kernelTable(): string {
  const familyOf = (kernel: string): string | undefined =>
    Object.entries(families).find(([, family]) => family[kernel] !== undefined)?.[0];
  const names = kernelNames();
  const lowered = names.filter((name) => familyOf(name) !== undefined);
  const rows = names.map((name) => {
    const family = familyOf(name);
    const gradient = tf.getGradient(name) === undefined ? '' : 'yes';
    return `| ${name} | ${gradient} | ${family === undefined ? `**no**: ${unlowered[name] ?? ''}` : family} |`;
  });
  return `# Which operations compile

Generated from the lowering tables of \`packages/jit\` by \`npm run docs:kernels\`; a test fails where this page is out of date.

TensorFlow.js ${tf.version_core} names ${names.length} kernels, of which its operations and their gradients are made. ${lowered.length} are compiled. The second column
says whether TensorFlow.js has a gradient of the kernel (kernels that only occur in gradients have none of their own), the third the family
whose file in \`packages/jit/src/lowering\` compiles it, or why it is not compiled and what to do.

| kernel | gradient | compiled |
|---|---|---|
${rows.join('\n')}
`;
}

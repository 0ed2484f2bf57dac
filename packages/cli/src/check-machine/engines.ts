import type { RegistryOptions } from '@tweedie/core/registry';

/** Compiles the gradient of x^2 on an engine, runs it at x = 3, and gives the engine's facts in a line. */
export const tryEngine = async (
  id: string,
  options: Readonly<Record<string, unknown>>,
  registries: RegistryOptions,
): Promise<string> => {
  const [{ createContainer, openRegistry, tf }, { createFiles }] = await Promise.all([
    import('@tweedie/core'),
    import('@tweedie/files'),
  ]);
  const container = createContainer({
    registry: openRegistry({ ...registries, quiet: true }),
    files: createFiles(process.cwd()),
  });
  try {
    const made = await container.plugin('engine', { id, options });
    const slope = made.compile((x: ReturnType<typeof tf.scalar>) => tf.grad((inner) => tf.square(inner))(x));
    const result = await slope(3);
    const [value = NaN] = result.dataSync();
    if (value !== 6) throw new Error(`the gradient of x^2 at 3 came out as ${value}.`);
    return Object.entries(made.facts)
      .map(([name, fact]) => `${name} ${fact}`)
      .join(', ');
  } finally {
    container.dispose();
  }
};

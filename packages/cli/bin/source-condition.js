/**
 * Resolve hook: Tweedie's packages are read from source (`@tweedie/source`), also by plugins and scripts in folders
 * where none of them is installed. TypeScript is a module also where no package.json says so.
 */
export const resolve = async (specifier, context, next) => {
  const fromSource = { ...context, conditions: [...context.conditions, '@tweedie/source'] };
  try {
    const found = await next(specifier, fromSource);
    return found.format === 'commonjs' && /\.ts(\?|$)/.test(found.url) ? { ...found, format: 'module' } : found;
  } catch (error) {
    if (!specifier.startsWith('@tweedie/')) throw error;
    return next(specifier, { ...fromSource, parentURL: import.meta.url });
  }
};

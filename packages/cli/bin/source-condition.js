/**
 * Resolve hook: Tweedie's packages are read from source (`@tweedie/source`), also by plugins in folders where none of
 * them is installed.
 */
export const resolve = async (specifier, context, next) => {
  const fromSource = { ...context, conditions: [...context.conditions, '@tweedie/source'] };
  try {
    return await next(specifier, fromSource);
  } catch (error) {
    if (!specifier.startsWith('@tweedie/')) throw error;
    return next(specifier, { ...fromSource, parentURL: import.meta.url });
  }
};

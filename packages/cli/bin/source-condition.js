/**
 * Resolve hook: plugins and scripts find Tweedie's packages also in folders where none of them is installed; in the
 * repository they are read from source (`@tweedie/source`). TypeScript is a module also where no package.json says so.
 */
let own = [];
export const initialize = ({ source }) => {
  own = source ? ['@tweedie/source'] : [];
};

export const resolve = async (specifier, context, next) => {
  const fromSource = { ...context, conditions: [...context.conditions, ...own] };
  try {
    const found = await next(specifier, fromSource);
    return found.format === 'commonjs' && /\.ts(\?|$)/.test(found.url) ? { ...found, format: 'module' } : found;
  } catch (error) {
    if (!specifier.startsWith('@tweedie/')) throw error;
    return next(specifier, { ...fromSource, parentURL: import.meta.url });
  }
};

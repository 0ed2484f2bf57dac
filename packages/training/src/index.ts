export { freshState, type State } from './adamw.ts';
export { type TrainingRecipe, readTraining } from './recipe.ts';
export { type Batch, compileTraining, type Step } from './step.ts';
export { train, type Trained, type TrainingProgress, type TrainOptions } from './train.ts';
export { fitMixture, type FitOptions, type FitProgress, type Fitted } from './mixture/fit.ts';
export { type MixtureRecipe, readMixtureRecipe } from './mixture/recipe.ts';

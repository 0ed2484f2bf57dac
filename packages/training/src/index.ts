export { freshState, type State } from './adamw.ts';
export { type TrainingRecipe, readTraining } from './recipe.ts';
export { type Batch, compileTraining, type Step } from './step.ts';
export { train, type Trained, type TrainingProgress, type TrainOptions } from './train.ts';

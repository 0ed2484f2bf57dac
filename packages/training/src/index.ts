export { type TrainingRecipe, readTraining } from './recipe.ts';
export { train, type Trained, type TrainingProgress, type TrainOptions } from './train.ts';

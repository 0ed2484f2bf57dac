export { type AdmConfig, type AdmPlan, admPlan, type Block, type Layer } from './adm-config.ts';
export { admModel, type AdmModelOptions, admPrediction, type AdmTraining } from './adm-model.ts';
export { type AdmParameter, admParameters } from './adm-parameters.ts';
export { type AdmUnet, admUnet } from './adm-unet.ts';
export { type AdmWeights, admWeights, randomAdmWeights, randomCheckpoint } from './adm-weights.ts';
export { admMultiplyAdds } from './adm-work.ts';
export { type Checkpoint, openCheckpoint } from './checkpoint.ts';
export { timeEmbedding, timeFrequencies } from './time-embedding.ts';

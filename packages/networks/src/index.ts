export { type AdmConfig, type AdmPlan, admPlan, type Block, type Layer } from './adm-config.ts';
export { type AdmParameter, admParameters } from './adm-parameters.ts';
export { type AdmUnet, admUnet } from './adm-unet.ts';
export { type AdmWeights, admWeights, type Checkpoint, randomAdmWeights } from './adm-weights.ts';
export { timeEmbedding, timeFrequencies } from './time-embedding.ts';

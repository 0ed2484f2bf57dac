export { type AdmConfig, type AdmPlan, admPlan, type Block, type Layer } from './adm-config.ts';
export { admModel, type AdmModelOptions, admPrediction, type AdmTraining } from './adm-model.ts';
export { admParameters } from './adm-parameters.ts';
export { type AdmUnet, admUnet } from './adm-unet.ts';
export { admStateDict, admWeights, randomAdmWeights, randomCheckpoint } from './adm-weights.ts';
export { admMultiplyAdds } from './adm-work.ts';
export { type Checkpoint, openCheckpoint, openTensors, type StoredTensors } from './checkpoint.ts';
export { isTorchFile, openTorchFile, type TorchFile } from './checkpoints/torch-file.ts';
export { readTorchTensor } from './checkpoints/torch-tensor.ts';
export { type Conversion, convertCheckpoint, type ConvertSettings } from './convert.ts';
export { diffusersModel, type DiffusersOptions, openDiffusers } from './diffusers/model.ts';
export { inspectCheckpoint, type Inspection } from './inspect.ts';
export { recognised } from './recognise.ts';
export { edmModel, type EdmOptions } from './edm/model.ts';
export { edmDenoiser, edmWeight } from './edm-denoiser.ts';
export { type Parameter, tensorShapeOf, type Weights } from './parameters.ts';
export { timeEmbedding, timeFrequencies } from './time-embedding.ts';
export {
  cardMetadata,
  type NetworkCard,
  trainedModel,
  trainedPredict,
  type TrainedPrediction,
  trainedProcess,
} from './trained-model.ts';

export { tf } from './tensorflow.ts';
export { withoutHiddenInputs } from './hidden-inputs.ts';
export { isOfTensorFlow, isUsers, withDeepStacks } from './user-line.ts';
export type {
  Context,
  DatasetContext,
  DatasetFactory,
  EngineFactory,
  GuidanceFactory,
  Kind,
  MetricContext,
  MetricFactory,
  ModelFactory,
  OperatorContext,
  OperatorFactory,
  PluginKinds,
  PluginReference,
  SchedulerFactory,
} from './plugin.ts';
export { asReference } from './plugin.ts';
export type {
  Coefficients,
  Classes,
  Compiled,
  Cost,
  Covariance,
  Dataset,
  Denoise,
  Engine,
  Feed,
  GaussianMixture,
  Guidance,
  Image,
  ImagePlace,
  ImageShape,
  KeyedRandom,
  Level,
  LevelTensors,
  Measured,
  MeasuredTensors,
  Measurement,
  Metric,
  NoiseProcess,
  Operator,
  Prediction,
  ReferenceTask,
  Sampler,
  Scalar,
  Scheduler,
  ScoreModel,
  Setting,
  SpectralForm,
  Step,
  SampleKey,
  StepRandom,
  StepTensors,
  Stepped,
  Tensor,
  TensorTree,
  Traced,
  Transition,
} from './types.ts';
export { at } from './at.ts';
export {
  type Files,
  isGrey,
  isPictureName,
  noteOnUnusedRange,
  type ReadImageOptions,
  type StoredPicture,
} from './files.ts';
export { numberToHalf } from './half-float.ts';
export { foreignFile } from './foreign-file.ts';
export { CancelledError, ConfigError, messageOf, NotInstalledError, showShape } from './errors.ts';
export {
  clampTo,
  COMPLEX_REMEDY,
  perSample,
  sampleDot,
  sampleNorm,
  sampleSum,
  stopGradient,
  valueAndGrad,
  vjp,
} from './gradients.ts';
export { AGAIN, checkpointed, registerAgain } from './checkpointed.ts';
export { isLeftover, temporaryFolder } from './leftovers.ts';
export { adjointOf, solveOf, unitImages } from './linear.ts';
export { normalQuantile } from './normal-quantile.ts';
export { modelForShape, reflected } from './sizes.ts';
export { type AxisMatrix, axisMatrix, separable, type Separable } from './separable.ts';
export {
  addCosts,
  addMark,
  countMarks,
  MARK,
  type MarkKind,
  meteredModel,
  meteredOperator,
  noCost,
  registerMark,
} from './marks.ts';
export { eager, eagerEngine, onBackend } from './eager.ts';
export { ownBackend } from './own-backend.ts';
export {
  batchSize,
  disposeTree,
  isImage,
  leavesOf,
  mapTree,
  repeatRows,
  rowsOf,
  signatureOf,
  stackImages,
  stackTrees,
  tensorsOf,
  traced,
} from './trees.ts';
export {
  alphaBarsOf,
  cosineBetas,
  geometricProcess,
  linearBetas,
  noiseProcess,
  processSchema,
  type ProcessOptions,
  veProcess,
  vpProcess,
  vpProcessOfAlphaBars,
} from './noise-process.ts';
export {
  geometricSigmas,
  type LevelPair,
  levelsThrough,
  oneStep,
  polynomialSigmas,
  respacedLevels,
  reverseCoefficients,
  sigmaRange,
  type SigmaRange,
  spaceTimesteps,
} from './levels.ts';
export { batchRandom, keyedRandom } from './random.ts';
export { askProgram } from './ask-program.ts';
export { decodeNpy, encodeNpy, type NpyArray } from './npy.ts';
export { problemWriter, type ProblemWriter } from './problem-for-programs.ts';
export {
  type EpsilonNetwork,
  epsilonFromX0,
  fromEpsilonNetwork,
  fromVe,
  mapPrediction,
  predictionFromEpsilon,
  predictionFromScore,
  predictionFromX0,
  scoreFromEpsilon,
  toVe,
} from './conversions.ts';
export { canonicalJson } from './canonical-json.ts';
export { type Container, createContainer, noteToStandardError, toStandardError } from './container.ts';
export { capabilities, type Capability, conflict, offers } from './capabilities.ts';
export { importFactory } from './import-plugin.ts';
export { type Manifest, readManifest, resolveOptions } from './manifest.ts';
export { readJson } from './read-json.ts';
export type { Card, CardFile } from './card.ts';
export { cardFolder, howToGet, manifestsOfCards } from './cards.ts';
export { type PluginFile, readPluginFile } from './plugin-file.ts';
export { nearest, suggest } from './nearest.ts';
export { PluginError, pluginPlace, showFrame, stackFrames, type Frame, type PluginPlace } from './plugin-fault.ts';
export { refuseIrregular } from './regular-file.ts';
export {
  kinds,
  loadRegistries,
  openRegistry,
  type Registry,
  type RegistryOptions,
  tellPluginFile,
} from './registry.ts';
export { type JsonSchema, validate } from './schema.ts';
export {
  type Denoised,
  denoiseMixture,
  denoiseSharedIsotropic,
  type MixtureTensors,
  type SharedIsotropicTensors,
  sharedIsotropicTensors,
  sharedVariance,
} from './mixture.ts';
export { checkMeasurement, checkMeasurementShape } from './check-measurement.ts';
export { metricScale, type MetricScale, refuseOtherShapes } from './metric-scale.ts';
export { mixtureHash, mixtureModel, mixtureTensors } from './mixture-model.ts';
export { cholesky, symmetricEigen } from './linalg.ts';
export { anyDraw, closedFormRefusal, formOf } from './closed-form.ts';
export {
  type KnownPosterior,
  knownPosteriors,
  type KnownPosteriors,
  mixtureDraws,
  type MixtureDraw,
} from './known-posterior.ts';
export {
  type CompiledForward,
  fingerprintOf,
  operatorMatrix,
  rowOfProblem,
  VARIANCE_FLOOR,
} from './operator-matrix.ts';
export {
  covarianceOf,
  drawFromMixture,
  effectiveComponents,
  mixtureMean,
  mixtureMoments,
  posteriorMixture,
  posteriorWeights,
  rankOf,
  softmax,
} from './posterior.ts';
export { decodeMixture, encodeMixture } from './mixture-file.ts';
export {
  checkSafetensors,
  decodeEntry,
  decodeSafetensors,
  encodeSafetensors,
  openSafetensors,
  type SafetensorsEntry,
  type SafetensorsFile,
  type SafetensorsInput,
  safetensorsMetadata,
} from './safetensors.ts';
export { labelFor } from './labels.ts';
export { itemSizes, safetensorsHead } from './safetensors-head.ts';
export { sizeOf } from './shapes.ts';
export { type Draw, drawBatch } from './draw-batch.ts';
export {
  type BatchResult,
  type BatchRun,
  bindGuidance,
  type BoundGuidance,
  sampleBatch,
  type SampleFailure,
  scoped,
  type StepEvent,
  stepsOf,
} from './loop.ts';
export { poissonCount, poissonMeasurement, poissonSigma } from './poisson.ts';
export {
  decodeProblem,
  disposeProblem,
  encodeProblem,
  makeProblem,
  type NoiseLevel,
  type Problem,
  sha256,
  sigmaOf,
  stackProblems,
} from './problems.ts';
export {
  addsNoise,
  clampedDenoiser,
  compileSteps,
  denoiserCalls,
  initialNoise,
  noiseRadius,
  onSphere,
  reverseStep,
} from './steps.ts';
export { combinedLevel, combinedState, posteriorScore } from './denoising.ts';

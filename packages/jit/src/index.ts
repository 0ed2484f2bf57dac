export { type Jit, jit, type JitOptions } from './jit.ts';
export { defaultThreads, type Device, type OnnxRuntimeFacts, onnxRuntimeFacts } from './session.ts';

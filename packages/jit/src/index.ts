export { type Explanation, type Row, show } from './explain.ts';
export { type ExportedModel, exportOnnx, type ExportOptions, type Shapes, type TensorShape } from './export.ts';
export { jit, type Jitted, type JitOptions } from './jit.ts';
export { defaultThreads, type Device, type OnnxRuntimeFacts, onnxRuntimeFacts } from './session/session.ts';
export { sessionPool, type SessionPool } from './session/session-pool.ts';

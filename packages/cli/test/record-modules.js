// Loaded before the command: notes, at the end, every CommonJS module (TensorFlow.js, ONNX Runtime, sharp and DuckDB
// all are).
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

process.on('exit', () =>
  writeFileSync(process.env.LOADED_MODULES, Object.keys(createRequire(import.meta.url).cache).join('\n')),
);

import type { ChunkResult, ChunkTask } from './chunk.ts';
import type { ChunkFacts, ChunkSetup } from './chunk-setup.ts';
import type { ToldError } from './told-error.ts';

/** What a child process is asked: to get ready for the tasks of a run, and to draw one. It answers each. */
export type Asked =
  { readonly kind: 'setup'; readonly setup: ChunkSetup } | { readonly kind: 'draw'; readonly task: ChunkTask };

/** What a child process tells: answers, steps on the way, and what plugins say. */
export type Told =
  | { readonly kind: 'ready'; readonly facts: ChunkFacts }
  | { readonly kind: 'result'; readonly result: ChunkResult }
  | { readonly kind: 'error'; readonly error: ToldError }
  /** Steps of the task that are done, of all; resident memory, bytes. */
  | { readonly kind: 'step'; readonly done: number; readonly total: number; readonly memory: number }
  | { readonly kind: 'warning'; readonly message: string };

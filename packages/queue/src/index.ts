export { withoutCredentials } from './address.ts';
export { benchQueue, type QueueBench } from './bench.ts';
export { benchWorkers, type WorkersBench } from './bench-workers.ts';
export { checkQueue, checkStore } from './check.ts';
export { drawOnQueue, type QueueOptions } from './coordinator.ts';
export type { RunNotice } from './runs.ts';
export { cancelRun, queueStatus, type RunStatus } from './status.ts';
export { work } from './work.ts';
export type { WorkOptions } from './work-on.ts';

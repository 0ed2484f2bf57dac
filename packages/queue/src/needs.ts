/** Chunks by the memory that they need, so that a worker with little does not wait at what it cannot draw. */
import { at } from '@tweedie/core';
import type { ChunkPlan, ChunkTask } from '@tweedie/experiments';

/** Needs within a factor of two share a queue: pictures of many sizes are a few queues. */
const classOf = (bytes: number): number => Math.ceil(Math.log2(bytes));

/** The classes of a plan, most memory first. */
const classesOf = ({ bytes }: Pick<ChunkPlan, 'bytes'>): readonly number[] =>
  [...new Set(bytes.map(classOf))].sort((a, b) => b - a);

/** Bytes that a chunk of each queue of a run needs, most first. */
export const needsOf = (plan: Pick<ChunkPlan, 'bytes'>): readonly number[] =>
  classesOf(plan).map((own) => Math.max(...plan.bytes.filter((bytes) => classOf(bytes) === own)));

/** The place among the needs of the plan at which a task waits. */
export const placeOf = (plan: Pick<ChunkPlan, 'bytes'>, { shape }: Pick<ChunkTask, 'shape'>): number =>
  classesOf(plan).indexOf(classOf(at(plan.bytes, shape, 'memory of a shape')));

/** The share of the memory that is available that chunks may take. */
const MEMORY = 0.8;

/**
 * Bytes that the chunks of this machine may take. Where a number of workers was asked for, whoever asked knows that
 * their chunks fit.
 */
export const memoryFor = ({
  memory,
  workers,
}: {
  readonly memory?: number | undefined;
  readonly workers?: number | undefined;
}): number => memory ?? (workers === undefined ? MEMORY * process.availableMemory() : Infinity);

export const showBytes = (bytes: number): string => `${(bytes / 1e9).toPrecision(2)} GB`;

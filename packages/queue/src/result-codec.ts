/** What was drawn of a chunk as one safetensors file: samples and traces as tensors, all else as its metadata. */
import { decodeSafetensors, encodeSafetensors, type SafetensorsEntry, type SafetensorsInput } from '@tweedie/core';
import { identify, type ChunkPlan, type ChunkResult, type ChunkTask } from '@tweedie/experiments';

type Failure = Exclude<ChunkResult['samples'][number], Float32Array>;
/** A result without its tensors: a sample that is one is null. */
type Told = Omit<ChunkResult, 'started' | 'finished' | 'samples' | 'traces'> & {
  readonly started: string;
  readonly finished: string;
  readonly samples: readonly (Failure | null)[];
  readonly traces: readonly number[];
};

/**
 * The key of what is drawn of a task: the cells, and what is told beside their samples. Machines that draw the same
 * under the same key store the same samples.
 */
export const resultKey = ({ setup }: ChunkPlan, { key }: ChunkTask): string => {
  const { index, trace } = setup;
  const metrics = index.metrics.map((metric) => metric.key);
  return `results/${identify({ cells: key, metrics, trace: [index.traced, trace] })}`;
};

export const encodeResult = (result: ChunkResult): Uint8Array => {
  const tensors = new Map<string, SafetensorsInput>();
  for (const [i, sample] of result.samples.entries()) {
    if (sample instanceof Float32Array)
      tensors.set(`sample ${i}`, { dtype: 'F32', shape: [sample.length], data: sample });
  }
  for (const [i, { levels, frames }] of result.traces) {
    const each = frames[0]?.length ?? 0;
    const data = new Float32Array(frames.length * each);
    frames.forEach((frame, place) => data.set(frame, place * each));
    tensors.set(`trace ${i}`, { dtype: 'F32', shape: [frames.length, each], data });
    tensors.set(`levels ${i}`, { dtype: 'F64', shape: [levels.length], data: Float64Array.from(levels) });
  }
  const told: Told = {
    ...result,
    started: result.started.toISOString(),
    finished: result.finished.toISOString(),
    samples: result.samples.map((sample) => (sample instanceof Float32Array ? null : sample)),
    // A score that is no number is stored nowhere; JSON has none.
    scores: result.scores.filter(({ value }) => Number.isFinite(value)),
    traces: [...result.traces.keys()],
  };
  return encodeSafetensors(tensors, { result: JSON.stringify(told) });
};

const metadataOf = (bytes: Uint8Array): Readonly<Record<string, string>> => {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  return (header as { readonly __metadata__: Readonly<Record<string, string>> }).__metadata__;
};

const floatsOf = (entry: SafetensorsEntry | undefined, name: string): Float32Array => {
  if (entry?.dtype !== 'F32') throw new RangeError(`a result has no float32 tensor called ${name}.`);
  return entry.data;
};

/** Reads what `encodeResult` wrote. */
export const decodeResult = (bytes: Uint8Array): ChunkResult => {
  const tensors = decodeSafetensors(bytes, 'result');
  const told = JSON.parse(metadataOf(bytes)['result'] ?? '') as Told;
  const floats = (name: string): Float32Array => floatsOf(tensors.get(name), name);
  return {
    ...told,
    started: new Date(told.started),
    finished: new Date(told.finished),
    samples: told.samples.map((failure, i) => failure ?? floats(`sample ${i}`)),
    traces: new Map(
      told.traces.map((i) => {
        const [all, levels] = [floats(`trace ${i}`), Array.from(tensors.get(`levels ${i}`)?.data ?? [], Number)];
        const each = all.length / Math.max(1, levels.length);
        return [i, { levels, frames: levels.map((_, place) => all.slice(place * each, (place + 1) * each)) }];
      }),
    ),
  };
};

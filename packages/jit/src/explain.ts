/** What a compiled function is made of and where its time goes, by the lines of the user's code. */
import { constantBytes } from './passes/fixed.ts';
import { nodeName, operationsOf, valueOfNode } from './session/encode.ts';
import type { Value } from './graph/graph.ts';
import type { Profile } from './session/profile.ts';
import { bytesMoved, flops } from './graph/work.ts';

/** What one operation of TensorFlow.js on one line of code has become. */
export type Row = {
  /** `folder/file.ts:12`, or `gradient of folder/file.ts:12`; empty for what ONNX Runtime adds. */
  readonly source: string;
  /** The kernel of TensorFlow.js; for what ONNX Runtime adds, its operation. */
  readonly op: string;
  /** Operations of ONNX that ran for it in one call. One that was fused counts with the one it was fused into. */
  readonly nodes: number;
  readonly flops: number;
  readonly milliseconds: number;
  /** The share of the time of a call. */
  readonly share: number;
};

export type Explanation = {
  /** Operations of the graph as it was written; ONNX Runtime fuses some. */
  readonly nodes: number;
  /** Floating point operations: two for each multiply-add, otherwise one for each number. */
  readonly flops: number;
  readonly constantBytes: number;
  /** Bytes that all operations together read and write. */
  readonly movedBytes: number;
  /** The most memory that intermediate results took at once, where ONNX Runtime tells. */
  readonly peakBytes: number | undefined;
  /** The time of one call, measured with the profiler on. */
  readonly milliseconds: number;
  /** The rows of the table, the slowest first. */
  readonly rows: readonly Row[];
};

/** The name of the row for the time of a call in which no operation runs. */
const BETWEEN = 'between operations';

type Sum = { source: string; op: string; nodes: number; flops: number; milliseconds: number };

export function explanationOf(
  outputs: readonly Value[],
  { operations, milliseconds, peakBytes }: Profile,
): Explanation {
  const values = operationsOf(outputs);
  const sums = new Map<string, Sum>();
  const sumOf = (source: string, op: string): Sum => {
    const key = `${source} ${op}`;
    const sum = sums.get(key) ?? { source, op, nodes: 0, flops: 0, milliseconds: 0 };
    sums.set(key, sum);
    return sum;
  };
  const sumOfValue = ({ at }: Value): Sum => sumOf(at?.line() ?? '', at?.kernel ?? 'arguments');
  const byName = new Map(values.map((value) => [nodeName(value), value]));
  for (const value of values) sumOfValue(value).flops += flops(value);
  for (const { node, op, milliseconds: time } of operations) {
    const value = byName.get(valueOfNode(node));
    const sum = value === undefined ? sumOf('', op) : sumOfValue(value);
    sum.milliseconds += time;
    sum.nodes++;
  }
  const within = operations.reduce((sum, { milliseconds: time }) => sum + time, 0);
  sumOf('', BETWEEN).milliseconds = Math.max(0, milliseconds - within);
  const total = Math.max(milliseconds, within);
  return {
    nodes: values.length,
    flops: values.reduce((sum, value) => sum + flops(value), 0),
    constantBytes: constantBytes(outputs),
    movedBytes: values.reduce((sum, value) => sum + bytesMoved(value), 0),
    peakBytes,
    milliseconds: total,
    rows: [...sums.values()]
      .map((sum) => ({ ...sum, share: sum.milliseconds / total }))
      .sort((a, b) => b.milliseconds - a.milliseconds),
  };
}

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MB`;
const billions = (n: number): string => (n / 1e9).toFixed(3);

/** An explanation as text: a line of totals and the rows that take longest. */
export function show(
  { nodes, flops: work, constantBytes: constants, movedBytes, peakBytes, milliseconds, rows }: Explanation,
  most = 20,
): string {
  const peak = peakBytes === undefined ? '' : `, ${megabytes(peakBytes)} at once`;
  const head = `${nodes} operations, ${billions(work)} GFLOP, ${megabytes(constants)} of constants; intermediate results ${megabytes(movedBytes)} read and written${peak}; ${milliseconds.toFixed(2)} ms a call`;
  const cells = rows
    .slice(0, most)
    .map((row) => [
      row.milliseconds.toFixed(2),
      `${(100 * row.share).toFixed(1)} %`,
      billions(row.flops),
      String(row.nodes),
      row.op,
      row.source,
    ]);
  const rest = rows.slice(most).reduce((sum, row) => sum + row.milliseconds, 0);
  if (rows.length > most)
    cells.push([
      rest.toFixed(2),
      `${((100 * rest) / milliseconds).toFixed(1)} %`,
      '',
      '',
      `${rows.length - most} more`,
      '',
    ]);
  const table = [['ms', 'share', 'GFLOP', 'nodes', 'operation', 'line'], ...cells];
  const widths = table[0]?.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0))) ?? [];
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i < 4 ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return [head, '', ...table.map(line)].join('\n');
}

/** How ONNX Runtime's blocked convolutions lie on this machine. */
import { encode } from './encode.ts';
import { createGraph } from '../graph/create-graph.ts';
import { createSession, type Device } from './session.ts';

/** A multiple of every width of a vector register. */
const CHANNELS = 64;
const PLACES = 2;

let known: Promise<number> | undefined;

/**
 * Channels of a block: 16 where registers hold as many numbers (AVX-512), 8 on older processors, 1 where ONNX Runtime
 * has no such convolutions. It is seen from an image of two places that ONNX Runtime writes in blocks.
 */
export const blockWidth = (device: Device = 'cpu'): Promise<number> =>
  device === 'cpu' ? (known ??= measured()) : Promise.resolve(1);

async function measured(): Promise<number> {
  const graph = createGraph();
  const type = { shape: [1, CHANNELS, 1, PLACES], dtype: 'float32' } as const;
  const image = graph.input('image', type);
  const model = encode({ inputs: [image], outputs: [graph.operation('ReorderInput', [image], type)] });
  const data = Float32Array.from({ length: CHANNELS * PLACES }, (_, i) => i);
  const session = await createSession(model, { threads: 1 }).catch(() => undefined);
  if (session === undefined) return 1;
  try {
    const [ordered] = await session.run({ image: { ...type, data } });
    // The first channel's second place follows the last channel of its first block.
    return ordered?.data.indexOf(1) ?? 1;
  } finally {
    session.dispose();
  }
}

import { encodeNpy } from './npy.ts';
import { operatorMatrix } from './operator-matrix.ts';
import { encodeProblem, type Problem } from './problems.ts';
import { sizeOf } from './shapes.ts';
import { disposeTree, stackTrees } from './trees.ts';
import type { Engine, ImageShape, Operator } from './types.ts';

/** The most entries of a matrix that is written: 16 MB. */
const LARGEST_MATRIX = 2 ** 22;

export interface ProblemWriter {
  /** The files of a problem by the ending of their names. */
  files(problem: Omit<Problem, 'hash' | 'x0'> & Partial<Pick<Problem, 'x0'>>): Promise<ReadonlyMap<string, Uint8Array>>;
  dispose(): void;
}

/**
 * Problems as other programs read them: `.safetensors` as a run stores it, with imageShape among its metadata, and, of
 * a linear operator with m d up to 4,194,304, `.matrix.npy`: A [m, d] in float32 on the d = H W C entries of an image,
 * row-major.
 */
export function problemWriter(engine: Engine, operator: Operator, imageShape: ImageShape): ProblemWriter {
  const m = sizeOf(operator.measurementShape);
  const d = sizeOf(imageShape);
  const forward = engine.compile((x, drawn) => operator.forward(x as Parameters<Operator['forward']>[0], drawn));
  return {
    async files(problem) {
      const own = ['.safetensors', encodeProblem(problem, { imageShape: JSON.stringify(imageShape) })] as const;
      if (!operator.linear || m * d > LARGEST_MATRIX) return new Map([own]);
      const drawn = stackTrees([problem.drawn]);
      try {
        const data = Float32Array.from(await operatorMatrix(forward, drawn, imageShape, m));
        return new Map([own, ['.matrix.npy', encodeNpy({ shape: [m, d], data })]]);
      } finally {
        disposeTree(drawn);
      }
    },
    dispose: () => forward.dispose(),
  };
}

import type { Manifest } from './manifest.ts';

/** The devices that an engine's option `device` offers, its default first. */
export const devicesOf = ({ options: { properties } }: Manifest): readonly string[] => {
  const { device } = (properties ?? {}) as {
    readonly device?: { readonly enum?: readonly string[]; readonly default?: string };
  };
  const { enum: all = [], default: usual } = device ?? {};
  return [...all].sort((a, b) => Number(b === usual) - Number(a === usual));
};

/** What people call accelerators, and the libraries that drive them. */
const accelerators = new Set(
  'gpu nvidia tensorrt rocm amd migraphx dml directml d3d12 coreml metal mps apple npu qnn openvino intel vulkan webnn xnnpack cann tpu'.split(
    ' ',
  ),
);

/** How to ask for a device of an engine that was taken for an engine; undefined where `id` is no device. */
export const deviceHint = (id: string, engines: readonly Manifest[]): string | undefined => {
  const wanted = id.toLowerCase();
  const offers = engines.flatMap((engine) => devicesOf(engine).map((device, i) => ({ engine: engine.id, device, i })));
  const exact = offers.filter(({ device }) => device === wanted);
  const others = accelerators.has(wanted) ? offers.filter(({ i }) => i > 0) : [];
  const [first, ...more] = exact.length > 0 ? exact : others;
  if (first === undefined) return undefined;
  const spelled = [first, ...more].map(({ engine, device }) => `--engine ${engine}:device=${device}`).join(' or ');
  const recipe = `engine: { id: ${first.engine}, options: { device: ${first.device} } }`;
  return `Where an engine computes is its option device: ${spelled}; in a recipe ${recipe}.`;
};

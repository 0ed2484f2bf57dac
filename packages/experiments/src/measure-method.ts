import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Manifest, openRegistry, type RegistryOptions } from '@tweedie/core';
import { compare } from './compare.ts';
import type { Watch } from './machine/progress.ts';
import type { ExperimentInput } from './recipe/recipe.ts';
import type { MeasuredRow } from './report/sheet.ts';
import { DECIDES } from './statistics/measures.ts';

const OWN = 'this method';
const OPERATORS = [
  { id: 'identity', label: 'denoise' },
  { id: 'inpaint', label: 'inpaint 50 %', options: { pattern: 'random', rate: 0.5 } },
];

/** Three Gaussians in four dimensions, of which all or half of the entries are measured. */
const suite = ({ kind, id, file }: Manifest): ExperimentInput => ({
  title: `${kind}/${id} on a known posterior`,
  model: {
    id: 'gmm',
    options: {
      shape: [1, 4, 1],
      weights: [0.5, 0.3, 0.2],
      means: [
        [1, 1, 0, -0.5],
        [-1, 0.5, 0.5, 1],
        [0, -1, -1, 0],
      ],
      variances: 0.15,
    },
  },
  images: { from: 'prior', count: 8 },
  operators: OPERATORS,
  sigmaY: 0.5,
  methods: [
    { id: file ?? id, label: OWN },
    { id: 'posterior', label: 'the posterior' },
    { id: 'exact', label: 'exact score, EDM 40 steps', scheduler: { id: 'edm', options: { steps: 40 } } },
  ],
  scheduler: { id: 'ddpm', options: { steps: 100 } },
  metrics: [],
  samples: 64,
  impossible: 'skip',
});

/**
 * Runs a guidance plugin with its default options on a small suite whose posterior is known, beside the posterior
 * itself and the exact score: 8 problems of 64 samples for each of two operators, seconds for most methods.
 */
export const measureMethod = async (
  manifest: Manifest,
  { registries, localRegistries }: RegistryOptions,
  watch: Watch = {},
): Promise<readonly MeasuredRow[]> => {
  const folder = mkdtempSync(join(tmpdir(), 'tweedie-suite-'));
  try {
    const known = openRegistry({ registries, localRegistries, quiet: true }).manifests;
    // A plugin that is named by its folder need not be in any registry.
    const registry = join(folder, 'registry.json');
    const isKnown = manifest.file !== undefined || known.some((one) => one.folder === manifest.folder);
    writeFileSync(registry, JSON.stringify({ plugins: { [`${manifest.kind}/${manifest.id}`]: manifest.folder } }));
    const recipe = suite(manifest);
    const { json } = await compare({
      recipe,
      registries: [...(registries ?? []), ...(isKnown ? [] : [registry])],
      localRegistries,
      out: join(folder, 'run'),
      ...watch,
    });
    const labels = recipe.methods.map((method) => (typeof method === 'string' ? method : (method.label ?? '')));
    return OPERATORS.flatMap(({ label: problem }) => labels.map((label) => rowOf(json, problem, label)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

type Json = Awaited<ReturnType<typeof compare>>['json'];

const rowOf = (json: Json, problem: string, label: string): MeasuredRow => {
  const here = <T extends { readonly operator: string; readonly label: string }>(rows: readonly T[]): T | undefined =>
    rows.find((row) => row.operator === problem && row.label === label);
  const distance = here(json.distances.filter(({ measure }) => measure === DECIDES));
  const cost = here(json.cost);
  const failed = here(json.failures);
  return {
    problem,
    label,
    distance:
      distance === undefined
        ? null
        : { mean: distance.mean, ci95: distance.ci95, ...(distance.iid && { iid: distance.iid }) },
    misfit: here(json.misfit)?.mean ?? null,
    cost: cost === undefined ? null : { forwards: cost.forwards, vjps: cost.vjps, seconds: cost.secondsPerSample },
    ...(failed === undefined ? {} : { why: failed.reason }),
  };
};

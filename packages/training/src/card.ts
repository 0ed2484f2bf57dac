import { admMultiplyAdds } from '@tweedie/networks';
import type { LogRow } from './checkpoint.ts';
import type { Layout } from './parameters.ts';
import type { TrainingRecipe } from './recipe.ts';
import { DENOISED_AT } from './validation.ts';

export type CardFacts = {
  readonly title: string;
  readonly recipe: TrainingRecipe;
  readonly layout: Layout;
  readonly log: readonly LogRow[];
  readonly folder: string;
};

const columns = [
  'images',
  'seconds',
  'loss',
  'rate',
  'gradient',
  'validation',
  ...DENOISED_AT.map((sigma) => `denoised_${sigma}_dB`),
];

/** The log as CSV. */
export const logTable = (log: readonly LogRow[]): string =>
  `${[
    columns.join(),
    ...log.map((row) =>
      [
        row.images,
        row.seconds.toFixed(1),
        row.loss,
        row.rate,
        row.gradient,
        row.validation ?? '',
        ...DENOISED_AT.map((sigma) => row.denoised?.[String(sigma)] ?? ''),
      ].join(),
    ),
  ].join('\n')}\n`;

/** What a training is, in lines of name and value. */
export function facts({
  recipe,
  layout,
  log,
}: Omit<CardFacts, 'title' | 'folder'>): readonly (readonly [string, string])[] {
  const { network, loss, data } = recipe;
  const last = log.at(-1);
  const validated = log.findLast(({ validation }) => validation !== undefined);
  const size = network.image_size;
  return [
    [
      'Network',
      `U-Net of ${(layout.size / 1e6).toFixed(2)} million parameters, ${((2 * admMultiplyAdds(network)) / 1e9).toFixed(2)} GFLOP for ${size}x${size}`,
    ],
    [
      'Loss',
      Object.entries(loss)
        .map(([key, value]) => (key === 'kind' ? value : `${key} ${value}`))
        .join(', '),
    ],
    [
      'Data',
      `${data.dataset.id}, crops at ${data.scales.map((scale) => `1/${scale}`).join(', ')} of their size, flipped: ${data.flip}`,
    ],
    [
      'Seen',
      `${last?.images ?? 0} images in batches of ${recipe.batch}, ${((last?.seconds ?? 0) / 3600).toFixed(2)} hours of computing, seed ${recipe.seed}`,
    ],
    ...(validated === undefined
      ? []
      : [
          ['Held-out loss', `${validated.validation?.toPrecision(4)} on ${recipe.validation?.dataset.id}`] as const,
          [
            'Held-out images denoised in one step',
            DENOISED_AT.map((sigma) => `${validated.denoised?.[String(sigma)]?.toFixed(2)} dB at sigma ${sigma}`).join(
              ', ',
            ),
          ] as const,
        ]),
  ];
}

/** A card of what was trained, Markdown. */
export const cardText = ({ name, title, folder, ...rest }: CardFacts & { readonly name: string }): string =>
  `# ${title}

${facts(rest)
  .map(([key, value]) => `- ${key}: ${value}`)
  .join('\n')}

Restore a picture with it:

\`\`\`
npx tweedie restore photo.png --model trained:weights=${folder}/weights.safetensors --operator identity --sigma-y 0.1
\`\`\`

${name} was made by \`tweedie train\`; log.csv and report.html have the curves.
`;
